//! The request: what the host says of it, and what a step asks for, done.

use proxy_wasm::types::Action;

use super::headers::{in_lower_case, repeated, request_edits};
use super::original::{HasBody, target};
use crate::exchange::{Failure, Reply, RequestStep};
use crate::filter::abi::{self, Buffer, HostStatus, Map, send_reply};
use crate::http::headers::{HeaderEdits, Headers};
use crate::http::media_type::GRPC;

/// The request line as the client sent it, whatever a plugin in front changed.
const REQUEST_LINE: &[&str] = &["ngx", "request"];

/// The request target as the client sent it.
const REQUEST_TARGET: &[&str] = &["ngx", "request_uri"];

/// The query. Setting it also makes nginx build the upstream's path from `:path` rather than from [`REQUEST_TARGET`].
const QUERY: &[&str] = &["request", "query"];

/// The `content-length` that goes upstream. See [`ends_with_headers`] before it is read.
const CONTENT_LENGTH: &[&str] = &["ngx", "content_length"];

/// Where a request goes whose body never came: every service answers it UNIMPLEMENTED. Set until the body is there.
const NOWHERE: &[u8] = b"/protobridge.Empty/Body";

/// Kong's variable for the `te` header that it sends upstream; the header itself never arrives.
const UPSTREAM_TE: &str = "ngx\0upstream_te";

/// The method cannot be changed from these: nginx has decided what they are.
const FIXED_METHODS: [&[u8]; 2] = [b"GET", b"HEAD"];

/// The methods of upgrades and preflights. nginx's gRPC module knows no upgrade, and sends such a request on as any other:
/// one that a client, or a plugin in front, has made a POST would be a call that no rule has let in. So would one of these
/// that has a body, as some services look at neither method nor content type.
const UNREAD_METHODS: [&[u8]; 2] = [b"GET", b"OPTIONS"];

const FIXED_METHOD: &str = "this gateway cannot change a GET request into gRPC's POST here: add the plugin \
                            request-transformer with config.http_method: POST to the route (the method of the request \
                            line still decides which binding is meant)";

/// A request as it was before plugins and nginx itself changed it.
pub struct Request {
    /// Its headers, with method and path as they were sent.
    pub headers: Headers,
    /// The names of those that came more than once.
    pub repeated: Vec<Vec<u8>>,
    /// Whether it has a body.
    pub has_body: HasBody,
    /// What keeps it from being carried.
    pub obstacle: Option<&'static str>,
    /// Whether nginx sends it on as something that no gRPC service takes for a call, should it go on untouched.
    pub passes_unread: bool,
}

impl Request {
    /// Asks the host.
    pub fn read() -> Result<Self, HostStatus> {
        let shown = in_lower_case(&abi::headers(Map::RequestHeaders)?);
        let line = abi::property(REQUEST_LINE).unwrap_or_default();
        let mut words = line.split(|byte| *byte == b' ');
        let method = words.next().filter(|word| !word.is_empty());
        let protocol = words.next_back().unwrap_or_default();
        let current = shown.get(":method").unwrap_or_default();
        let has_body = HasBody::of(&shown, protocol);
        let query = abi::property(QUERY).unwrap_or_default();
        let sent = abi::property(REQUEST_TARGET).unwrap_or_default();
        let mut headers = Headers::default();
        for (name, value) in shown.iter() {
            match name {
                b":method" => headers.push(name, method.unwrap_or(value)),
                b":path" => headers.push(name, &target(value, &query, &sent)),
                _ => headers.push(name, value),
            }
        }
        Ok(Self {
            passes_unread: UNREAD_METHODS.contains(&current)
                && match has_body {
                    HasBody::No | HasBody::Empty => true,
                    HasBody::Unknown => ends_with_headers(),
                    HasBody::Yes | HasBody::Chunked => false,
                },
            obstacle: FIXED_METHODS.contains(&current).then_some(FIXED_METHOD),
            has_body,
            repeated: repeated(&shown),
            headers,
        })
    }
}

/// Does what a step about the request asks for. The host holds `size` bytes of its body, and of the headers whose names
/// are `repeated` more than one field.
pub fn follow(step: RequestStep<'_>, has_body: HasBody, size: usize, repeated: &[Vec<u8>]) -> Result<Action, Failure> {
    match step {
        RequestStep::PassThrough | RequestStep::Await => Ok(Action::Continue),
        RequestStep::Reply(reply) => {
            answer(reply);
            Ok(Action::Pause)
        }
        // Of a gRPC client: its body passes, whatever that is.
        RequestStep::ForwardHeaders { edits, .. } => abi::edit_headers(Map::RequestHeaders, edits)
            .map(|()| Action::Continue)
            .map_err(|status| status.refused("to change the request headers")),
        RequestStep::Forward(forward) => {
            let edits = request_edits(forward.edits, forward.body.len(), repeated).map_err(beyond_reach)?;
            edit_own(&edits).map_err(|status| status.refused("to change the request headers"))?;
            // The host cuts what is written to the size that is named.
            abi::replace_buffer(Buffer::RequestBody, size.max(forward.body.len()), forward.body)
                .and_then(|()| match has_body {
                    HasBody::Empty => forget_length(),
                    _ => Ok(()),
                })
                .map(|()| Action::Continue)
                .map_err(|status| status.refused("to change the request body"))
        }
        step => {
            log::error!("unexpected step for a request: {step:?}");
            Err(Failure::internal("the gateway cannot carry this request"))
        }
    }
}

/// Answers the client with `reply`.
pub fn answer(reply: &Reply) {
    if !reply.body.is_empty() {
        return send_reply(reply, reply.status);
    }
    // Else nginx ends the stream by a frame behind the headers, and gRPC's Trailers-Only are the end themselves.
    let mut reply = reply.clone();
    reply.headers.push(b"content-length", b"0");
    send_reply(&reply, reply.status);
}

/// Sends the request nowhere, unless it is changed again. As gRPC, so that the answer is of gRPC too.
pub fn send_nowhere() -> Result<(), HostStatus> {
    let mut edits = HeaderEdits::default();
    edits.set(b":path", NOWHERE);
    edits.set(b"content-type", GRPC);
    edit_own(&edits)
}

/// Lets nginx throw away the frames that HTTP/2 may send after a `content-length` of 0, in place of whose body one was
/// made: while it knows a length, it writes them, an empty last one included, where a body that it reads itself would
/// be, and the worker dies. Removing the header would not do: nginx then sends it twice. An empty one it does not send.
/// Source: `ngx_http_v2_state_read_data`, `ngx_http_wasm_set_req_body`, `ngx_http_wasm_set_cl_header_handler`.
fn forget_length() -> Result<(), HostStatus> {
    abi::set_header(Map::RequestHeaders, b"content-length", b"")
}

/// Whether an HTTP/2 request without `content-length` has ended with its headers, so that no body can come.
///
/// No variable says so, but one remembers: where no body can come, nginx keeps for the whole request that there is no
/// `$content_length`; where one may, it asks again each time, and then sees a header set in between. It keeps the
/// value of a variable that its configuration uses, and `grpc_pass` uses this one. What is seen here goes upstream:
/// nothing, as an empty header is not sent.
/// Source: `ngx_http_variable_content_length`, `ngx_http_v2_run_request`.
pub fn ends_with_headers() -> bool {
    abi::property(CONTENT_LENGTH) == Err(HostStatus::NOT_FOUND)
        && forget_length().is_ok()
        && abi::property(CONTENT_LENGTH) == Err(HostStatus::NOT_FOUND)
}

fn edit_own(edits: &HeaderEdits) -> Result<(), HostStatus> {
    // Before the path: see QUERY.
    abi::set_property("request\0query", b"")?;
    abi::edit_headers(Map::RequestHeaders, edits)?;
    if abi::set_property(UPSTREAM_TE, b"trailers").is_err() {
        // Plain nginx: there the configuration says it.
        log::debug!("no variable upstream_te");
    }
    Ok(())
}

/// 400: a header that must not arrive as it is came more than once.
fn beyond_reach(name: Vec<u8>) -> Failure {
    let name = String::from_utf8_lossy(&name);
    let error = format!("{name} came more than once, and this gateway could take only the first away: send it once");
    Failure::header(&name, &error)
}

/// 411: nobody can say of such a request that it has no body before it has gone on.
pub fn length_required() -> Failure {
    Failure::length_required(
        "the request's body turned out empty, which this gateway sees too late: send content-length: 0, or no body",
    )
}
