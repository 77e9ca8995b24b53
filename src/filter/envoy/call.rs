//! A request as a gRPC call by Envoy's call API.

use super::upstream::{call_metadata, grpc_service};
use crate::exchange::{Call, Failure};
use crate::filter::abi;

/// Opens the call and sends its one message. Returns the call's token.
///
/// # Errors
///
/// 503 where there is no cluster for it, or Envoy doesn't take it.
pub fn start(call: &Call<'_>) -> Result<u32, Failure> {
    let Some(cluster) = call.cluster.map(str::to_owned).or_else(route_cluster) else {
        return Err(Failure::no_cluster(
            "no upstream for this request: set upstream.cluster, or a route with a cluster",
        ));
    };
    let metadata = call_metadata(call.metadata, call.timeout);
    let upstream = grpc_service(&cluster, call.authority);
    let unreachable = |reason: String| {
        log::error!("cannot call cluster {cluster:?}: {reason}");
        Failure::unavailable("the upstream cannot be reached")
    };
    let token = abi::open_grpc_stream(&upstream, call.service, call.method, &metadata)
        .map_err(|status| unreachable(format!("{status:?}")))?;
    // Envoy forgets a stream at its end only when this side was closed by the call for that, and else keeps it for as
    // long as there is this configuration.
    let sent = call
        .message
        .map_or(Ok(()), |message| abi::send_grpc_message(token, message, true))
        .and_then(|()| abi::close_grpc_stream(token));
    if let Err(status) = sent {
        if let Err(status) = abi::cancel_grpc_stream(token) {
            log::error!("cannot cancel a gRPC call: {status}");
        }
        return Err(unreachable(status.to_string()));
    }
    Ok(token)
}

/// The cluster of the route that the current request took.
fn route_cluster() -> Option<String> {
    [&["xds", "cluster_name"][..], &["cluster_name"]]
        .into_iter()
        .filter_map(|path| abi::property(path).ok())
        .filter(|name| !name.is_empty())
        .find_map(|name| String::from_utf8(name).ok())
}
