//! One exchange, as the test drives it: the client's side, the upstream's side, and what each of them has seen.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use proxy_wasm_host::abi::v0_2_1::ContextId;

use super::calls::Call;
use super::grpc::{self, CallEvent};
use super::ledger::HostCall;
use super::message::{Headers, Passed, Request, Response};
use super::stream::{Direction, End, Flow};
use super::vm::Vm;

/// One exchange. Several may be open at a time, each in its own context of the same virtual machine. Dropping one is the
/// client going away.
pub struct Exchange {
    vm: Rc<RefCell<Vm>>,
    context: ContextId,
}

/// How far an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The client has its whole answer.
    Answered,
    /// The gateway has reset the stream.
    Reset,
    /// The client has gone.
    ClientLeft,
    /// A gRPC call is open.
    WaitsForCall,
    /// The request has gone on to the upstream, which has not ended its response.
    WaitsForUpstream,
    /// The client has not ended its request.
    WaitsForClient,
    /// The filter holds something back and has a tick to come.
    WaitsForTime,
    /// The filter holds something back, and nothing is left that could make it go on.
    Hangs,
}

impl Exchange {
    /// Starts an exchange with what `request` holds.
    pub(super) fn start(vm: &Rc<RefCell<Vm>>, properties: &[(Vec<&str>, &[u8])], request: Request) -> Self {
        let context = vm.borrow_mut().open();
        let exchange = Self {
            vm: Rc::clone(vm),
            context,
        };
        for (path, value) in properties {
            let path = path.iter().map(|segment| segment.as_bytes().to_vec()).collect();
            exchange.vm().stream(context).properties.insert(path, value.to_vec());
        }
        let nginx = exchange.vm().profile.nginx;
        if let Some(nginx) = nginx {
            exchange.vm().nginx_request(context, request, nginx);
            return exchange;
        }
        let Request {
            headers,
            chunks,
            trailers,
            open,
            ..
        } = request;
        exchange.vm().headers(
            context,
            Direction::Request,
            headers,
            chunks.is_empty() && trailers.is_none() && !open,
        );
        exchange.drive(Direction::Request, chunks, trailers, open);
        exchange
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let mut vm = self.vm();
        let calling = vm.waits_for_call(self.context);
        let stuck = if vm.ticks() {
            Progress::WaitsForTime
        } else {
            Progress::Hangs
        };
        let stream = vm.stream(self.context);
        if stream.nginx.hangs {
            return Progress::Hangs;
        }
        match stream.end {
            Some(End::Answered) => return Progress::Answered,
            Some(End::Reset) => return Progress::Reset,
            Some(End::ClientLeft) => return Progress::ClientLeft,
            None => {}
        }
        let held = |flow: Flow, end_seen: bool| match flow {
            Flow::Running => false,
            Flow::Paused => end_seen,
            Flow::Stopped | Flow::Full => true,
        };
        if calling {
            Progress::WaitsForCall
        } else if held(stream.response.flow, stream.response.end_seen) {
            stuck
        } else if stream.request.passed.ended || stream.response.begun {
            Progress::WaitsForUpstream
        } else if held(stream.request.flow, stream.request.end_seen) {
            stuck
        } else {
            Progress::WaitsForClient
        }
    }

    /// The client sends a body chunk.
    pub fn send(&self, bytes: impl AsRef<[u8]>, end: bool) {
        self.vm()
            .data(self.context, Direction::Request, bytes.as_ref().to_vec(), end);
    }

    /// A trap in another exchange takes away what the filter knows of this one. Only in nginx.
    pub fn after_trap(mut self) -> Self {
        let fresh = self.vm().replace_context(self.context);
        self.context = fresh;
        self
    }

    /// The client goes away.
    pub fn client_leaves(&self) {
        self.vm().client_leaves(self.context);
    }

    /// What the upstream has seen of the request.
    ///
    /// # Panics
    ///
    /// When nothing has been forwarded, or with a content-length that isn't the body's.
    pub fn forwarded(&self) -> Passed {
        let mut vm = self.vm();
        let request = &vm.stream(self.context).request;
        let (forwarded, passed) = (request.headers_passed(), request.passed.clone());
        drop(vm);
        assert!(forwarded, "nothing has been forwarded: {}", self.describe());
        passed.check_length("forwarded request");
        passed
    }

    /// The gRPC call or stream that the module has made for this exchange.
    ///
    /// # Panics
    ///
    /// When there is none, or more than one.
    pub fn call(&self) -> Call {
        let mut calls = self.calls();
        assert_eq!(calls.len(), 1, "gRPC calls: {}", self.describe());
        calls.remove(0)
    }

    /// All gRPC calls and streams that the module has made for this exchange.
    pub fn calls(&self) -> Vec<Call> {
        self.vm().calls.of(self.context.get())
    }

    /// The upstream answers, wherever the request went: the router's upstream, or the open gRPC call.
    pub fn respond(&self, response: Response) {
        if self.progress() == Progress::WaitsForCall {
            for event in grpc::call_events(response) {
                self.call_event(event);
            }
            return;
        }
        if self.vm().profile.nginx.is_some() {
            return self.vm().nginx_response(self.context, response);
        }
        self.respond_headers(&response);
        self.drive(Direction::Response, response.chunks, response.trailers, false);
    }

    /// The gateway gives up on the upstream of a forwarded request, for the reason that the property
    /// `response.code_details` tells. To a gRPC request, Envoy's router answers that with a status alone, UNAVAILABLE.
    pub fn gateway_fails(&self, code_details: &str) {
        let path = ["response", "code_details"].map(|segment| segment.as_bytes().to_vec());
        self.vm()
            .stream(self.context)
            .properties
            .insert(path.to_vec(), code_details.as_bytes().to_vec());
        self.respond(Response::error(14, "no answer"));
    }

    /// The upstream sends its response headers, which end the response when `response` holds nothing else.
    pub fn respond_headers(&self, response: &Response) {
        // A service may answer before the request has ended, once it has its headers.
        let early = self.progress() == Progress::WaitsForClient
            && self.vm().stream(self.context).request.passed.headers.len() > 0;
        assert!(
            early || self.progress() == Progress::WaitsForUpstream,
            "{}",
            self.describe()
        );
        let end = response.chunks.is_empty() && response.trailers.is_none();
        if self.vm().profile.nginx.is_some() {
            return self.vm().nginx_response_headers(self.context, response.headers.clone());
        }
        self.vm()
            .headers(self.context, Direction::Response, response.headers.clone(), end);
    }

    /// The upstream sends a chunk of its response body.
    pub fn respond_data(&self, bytes: impl AsRef<[u8]>, end: bool) {
        if self.vm().profile.nginx.is_some() {
            return self
                .vm()
                .nginx_response_data(self.context, bytes.as_ref().to_vec(), end);
        }
        self.vm()
            .data(self.context, Direction::Response, bytes.as_ref().to_vec(), end);
    }

    /// The upstream ends its response with trailers.
    pub fn respond_trailers(&self, trailers: &[(&str, &str)]) {
        if self.vm().profile.nginx.is_some() {
            return self
                .vm()
                .nginx_response_end(self.context, trailers.iter().copied().collect());
        }
        self.vm()
            .trailers(self.context, Direction::Response, trailers.iter().copied().collect());
    }

    /// The server of the gRPC call sends initial metadata.
    pub fn call_metadata(&self, metadata: &[(&str, &str)]) {
        self.call_event(CallEvent::InitialMetadata(metadata.iter().copied().collect()));
    }

    /// The server of the gRPC call sends a message.
    pub fn call_message(&self, message: impl AsRef<[u8]>) {
        self.call_event(CallEvent::Message(message.as_ref().to_vec()));
    }

    /// The gateway ends the gRPC call without an answer of the server, as for a refused connection or a timeout;
    /// `details` are its response code details.
    pub fn call_fails(&self, code: u32, message: &str, details: &str) {
        for event in grpc::failure_events(code, message, details) {
            self.call_event(event);
        }
    }

    /// What the client sees. A filter that waits for a tick to answer gets one.
    ///
    /// # Panics
    ///
    /// When the exchange has not come to its end, or has come to another one; with a content-length that isn't the
    /// body's.
    pub fn answer(&self) -> Passed {
        if self.progress() == Progress::WaitsForTime {
            self.vm().advance(Duration::from_millis(1));
        }
        assert_eq!(self.progress(), Progress::Answered, "no answer: {}", self.describe());
        let answer = self.so_far();
        let head = self.vm().stream(self.context).request.headers.headers.bytes(":method") == Some(b"HEAD");
        if !head {
            answer.check_length("answer");
        }
        answer
    }

    /// What the client has seen so far.
    pub fn so_far(&self) -> Passed {
        self.vm().stream(self.context).response.passed.clone()
    }

    /// A property of this exchange, as text.
    pub fn property(&self, path: &[&str]) -> Option<String> {
        let path: Vec<_> = path.iter().map(|segment| segment.as_bytes().to_vec()).collect();
        let mut vm = self.vm();
        let value = vm.stream(self.context).properties.get(&path)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The host calls of this exchange so far, by kind.
    pub fn host_calls(&self) -> BTreeMap<HostCall, u32> {
        self.vm().ledger.calls(self.context.get())
    }

    /// Sends the rest of a message, headers apart.
    fn drive(&self, direction: Direction, chunks: Vec<Vec<u8>>, trailers: Option<Headers>, open: bool) {
        let last = chunks.len().saturating_sub(1);
        for (index, chunk) in chunks.into_iter().enumerate() {
            let end = index == last && trailers.is_none() && !open;
            self.vm().data(self.context, direction, chunk, end);
        }
        if let Some(trailers) = trailers {
            self.vm().trailers(self.context, direction, trailers);
        }
    }

    /// Delivers to the last gRPC call. After a cancel no callback arrives.
    fn call_event(&self, event: CallEvent) {
        let calls = self.calls();
        let call = calls
            .last()
            .unwrap_or_else(|| panic!("there is no gRPC call: {}", self.describe()));
        let mut vm = self.vm();
        if vm.is_open(call.id) {
            vm.call_event(self.context, call.id, event);
        }
    }

    fn describe(&self) -> String {
        let progress = self.progress();
        let calls = self.calls();
        let mut vm = self.vm();
        let log = vm.ledger.log();
        let stream = vm.stream(self.context);
        format!(
            "{progress:?}\nforwarded: {:#?}\nanswer so far: {:#?}\ncalls: {calls:#?}\nlog: {log:#?}",
            stream.request.passed, stream.response.passed
        )
    }

    fn vm(&self) -> RefMut<'_, Vm> {
        self.vm.borrow_mut()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // A test that fails leaves the machine as it is.
        if !std::thread::panicking() {
            self.client_leaves();
        }
    }
}
