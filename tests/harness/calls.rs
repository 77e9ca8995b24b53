//! The gRPC calls and streams that a guest opens, recorded; the test is the server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use proxy_wasm_host::abi::v0_2_1::types::Status;
use proxy_wasm_host::abi::v0_2_1::{
    CalloutId, Callouts, GrpcCall, GrpcOpenRefusal, GrpcStream, HeaderPairs, Invocation,
};

use super::grpc;
use super::ledger::{HostCall, Ledger};
use super::message::Headers;
use super::profile::Profile;

/// A gRPC call or stream as the server sees it.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) id: CalloutId,
    pub(super) context: u32,
    /// The cluster that was asked for.
    pub cluster: String,
    /// `pkg.Service`.
    pub service: String,
    /// The method's own name.
    pub method: String,
    /// The initial metadata of the request.
    pub metadata: Headers,
    /// The messages sent so far.
    pub messages: Vec<Vec<u8>>,
    /// The timeout of a unary call; a stream has none.
    pub timeout: Option<Duration>,
    /// Whether the request side has been ended.
    pub closed: bool,
    /// Whether the guest gave it up.
    pub cancelled: bool,
}

/// The gRPC client of a virtual machine.
#[derive(Debug)]
pub(super) struct Calls {
    made: Mutex<Vec<Call>>,
    /// The clusters that exist.
    clusters: Vec<String>,
    profile: Profile,
    ledger: Arc<Ledger>,
}

impl Calls {
    pub fn new(clusters: Vec<String>, profile: Profile, ledger: Arc<Ledger>) -> Self {
        Self {
            made: Mutex::default(),
            clusters,
            profile,
            ledger,
        }
    }

    /// All that `context` has opened, in order.
    pub fn of(&self, context: u32) -> Vec<Call> {
        self.made()
            .iter()
            .filter(|call| call.context == context)
            .cloned()
            .collect()
    }

    fn open(
        &self,
        by: Invocation,
        id: CalloutId,
        upstream: &[u8],
        (service, method): (&[u8], &[u8]),
        metadata: &HeaderPairs<'_>,
    ) -> Result<Call, GrpcOpenRefusal> {
        self.ledger.count(by.context.get(), HostCall::OpenGrpc);
        let Some(cluster) = grpc::cluster_name(upstream) else {
            // A name that happens to parse as a GrpcService aborts the process; one that doesn't works by luck.
            self.ledger.fault(format!(
                "the upstream of a gRPC call is no serialized GrpcService{{envoy_grpc}}, which would abort Envoy: {:?}",
                String::from_utf8_lossy(upstream)
            ));
            return Err(self.profile.unknown_cluster);
        };
        if !self.clusters.contains(&cluster) {
            return Err(self.profile.unknown_cluster);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Call {
            id,
            context: by.context.get(),
            cluster,
            service: text(service),
            method: text(method),
            metadata: metadata
                .iter()
                .map(|(name, value)| (name.to_vec(), as_sent(name, value)))
                .collect(),
            messages: Vec::new(),
            timeout: None,
            closed: false,
            cancelled: false,
        })
    }

    fn change(&self, by: Invocation, id: CalloutId, kind: HostCall, change: impl FnOnce(&mut Call)) {
        self.ledger.count(by.context.get(), kind);
        if let Some(call) = self.made().iter_mut().find(|call| call.id == id) {
            change(call);
        }
    }

    fn made(&self) -> MutexGuard<'_, Vec<Call>> {
        self.made.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A value as it goes out: Envoy takes those of `-bin` names as bytes and writes them in base64, without padding.
fn as_sent(name: &[u8], value: &[u8]) -> Vec<u8> {
    match name.ends_with(b"-bin") {
        true => STANDARD_NO_PAD.encode(value).into_bytes(),
        false => value.to_vec(),
    }
}

impl Callouts for Calls {
    fn grpc_call(&self, by: Invocation, id: CalloutId, request: GrpcCall<'_>) -> Result<(), GrpcOpenRefusal> {
        let name = (request.service.as_ref(), request.method.as_ref());
        let mut call = self.open(by, id, &request.upstream, name, &request.initial_metadata)?;
        call.messages.push(request.message.to_vec());
        call.timeout = Some(request.timeout);
        call.closed = true;
        self.made().push(call);
        Ok(())
    }

    fn grpc_stream(&self, by: Invocation, id: CalloutId, request: GrpcStream<'_>) -> Result<(), GrpcOpenRefusal> {
        let name = (request.service.as_ref(), request.method.as_ref());
        let call = self.open(by, id, &request.upstream, name, &request.initial_metadata)?;
        self.made().push(call);
        Ok(())
    }

    fn grpc_send(&self, by: Invocation, id: CalloutId, message: &[u8], end_of_stream: bool) -> Result<(), Status> {
        self.change(by, id, HostCall::SendGrpc, |call| {
            call.messages.push(message.to_vec());
            call.closed |= end_of_stream;
        });
        Ok(())
    }

    fn grpc_close(&self, by: Invocation, id: CalloutId) {
        self.change(by, id, HostCall::CloseGrpc, |call| call.closed = true);
    }

    fn grpc_cancel(&self, by: Invocation, id: CalloutId) {
        self.change(by, id, HostCall::CancelGrpc, |call| call.cancelled = true);
    }
}
