//! The request's headers: the method is found, the way is chosen, and what isn't body is bound.

use super::body::{Content, ContentForm, complete_frame, too_large};
use super::by_call::ByCall;
use super::changes::activate;
use super::deadline::Deadline;
use super::failure::Failure;
use super::in_place::InPlace;
use super::matched::{BodyType, Matched};
use super::steps::Abilities;
use super::upload::{Gathered, Upload, UploadParameters};
use super::workspace::Workspace;
use crate::config::Dispatch;
use crate::grpc::metadata::{self, RequestHeader};
use crate::grpc::{connect, frame, timeout};
use crate::http::elements::Form;
use crate::http::headers::{HeaderEdits, Headers, content_length};
use crate::http::media_type::{
    FORM, GRPC, GRPC_WEB_PROTO, GrpcProtocol, JSON, grpc_protocol, is_json, is_lines, media_type,
};
use crate::routing::{Bound, Parameters};
use crate::text::append::reserve_as_it_comes;
use crate::text::shown::{NAME, shown};

/// The request headers, and where among them those are that decide what the request is.
#[derive(Debug, Default)]
pub struct Head {
    headers: Headers,
    method: Position,
    path: Position,
    accept: Position,
    content_type: Position,
    content_encoding: Position,
    grpc_timeout: Position,
    upgrade: Position,
    /// `:protocol` is there: an extended CONNECT (RFC 8441).
    has_protocol: bool,
    content_length: Option<usize>,
    expects_continue: bool,
    /// The target as the client sent it; `None`: that is the one in the headers.
    sent_target: Option<Vec<u8>>,
}

/// A position in [`Headers`].
type Position = Option<usize>;

impl Head {
    /// Looks at each header once.
    pub fn new(headers: Headers) -> Self {
        let mut head = Self::default();
        for (at, (name, value)) in headers.iter().enumerate() {
            match name {
                b":method" => head.method = Some(at),
                b":path" => head.path = Some(at),
                b"accept" => head.accept = head.accept.or(Some(at)),
                b"content-type" => head.content_type = Some(at),
                b"content-encoding" => head.content_encoding = Some(at),
                b"content-length" => head.content_length = content_length(value),
                b"grpc-timeout" => head.grpc_timeout = Some(at),
                b"upgrade" => head.upgrade = Some(at),
                b":protocol" => head.has_protocol = true,
                b"expect" => head.expects_continue = value.eq_ignore_ascii_case(b"100-continue"),
                _ => {}
            }
        }
        head.headers = headers;
        head
    }

    /// The headers of a request whose target was this one, before hooks changed it.
    pub fn sent_to(self, target: &[u8]) -> Self {
        let sent_target = (self.whole_path() != target).then(|| target.to_vec());
        Self { sent_target, ..self }
    }

    fn value(&self, position: Position) -> Option<&[u8]> {
        self.headers.value(position?)
    }

    /// All of them.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// All of them, to keep.
    pub fn into_headers(self) -> Headers {
        self.headers
    }

    /// What `content-length` says.
    pub fn content_length(&self) -> Option<usize> {
        self.content_length
    }

    /// What `content-type` says.
    pub fn content_type(&self) -> &[u8] {
        self.value(self.content_type).unwrap_or_default()
    }

    /// What of gRPC the client itself speaks; `None`: it is no gRPC client.
    pub fn grpc_protocol(&self) -> Option<GrpcProtocol> {
        grpc_protocol(self.value(self.content_type)?)
    }

    /// Whether the connection becomes something else than HTTP by this request: CONNECT, or an upgrade (RFC 9110, sections
    /// 9.3.6 and 7.8). An offer of HTTP/2 alone is none: whoever makes it takes an answer in HTTP/1.1 too.
    pub fn leaves_http(&self) -> bool {
        let upgrades = || {
            self.value(self.upgrade).is_some_and(|value| {
                let mut protocols = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                protocols.any(|protocol| !protocol.is_empty() && !protocol.eq_ignore_ascii_case(b"h2c"))
            }) && metadata::connection_options(self.headers.iter()).names(b"upgrade")
        };
        self.has_protocol || self.method() == b"CONNECT" || upgrades()
    }

    /// Whether anything may follow, to whatever is behind, and no path says what (RFC 9110, section 9.3.6).
    pub fn opens_tunnel(&self) -> bool {
        self.method() == b"CONNECT" && !self.has_protocol
    }

    /// Whether this is a preflight request of CORS (Fetch standard, "CORS-preflight request"), as far as headers tell: it
    /// has no body either.
    pub fn is_preflight(&self) -> bool {
        self.method() == b"OPTIONS"
            && self.content_type.is_none()
            && self.headers.get("origin").is_some()
            && self.headers.get("access-control-request-method").is_some()
    }

    /// Whether the client keeps the body back until it has an answer, `100` or another (RFC 9110, section 10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// The HTTP method.
    pub fn method(&self) -> &[u8] {
        self.value(self.method).unwrap_or_default()
    }

    /// The path, without the query.
    pub fn path(&self) -> &[u8] {
        self.target().0
    }

    /// The path with the query, which gRPC servers take for the method as it is.
    pub fn whole_path(&self) -> &[u8] {
        self.value(self.path).unwrap_or_default()
    }

    /// The path of the call that Envoy's Connect bridge makes of this request, if it comes there as it is. `None`: it makes
    /// none.
    pub fn bridged_path(&self) -> Option<&[u8]> {
        let streams = self.value(self.content_type).is_some_and(connect::is_stream);
        if streams || self.headers.get(connect::VERSION_HEADER).is_some() {
            return Some(self.whole_path());
        }
        self.query().is_some_and(connect::is_get).then(|| self.path())
    }

    /// What follows the `?`.
    fn query(&self) -> Option<&[u8]> {
        self.target().1
    }

    fn target(&self) -> (&[u8], Option<&[u8]>) {
        let target = self.value(self.path).unwrap_or_default();
        match memchr::memchr(b'?', target).and_then(|at| target.split_at_checked(at)) {
            Some((path, query)) => (path, query.get(1..)),
            None => (target, None),
        }
    }
}

/// How a request goes to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In place: the gateway's own router sends it.
    InPlace,
    /// In place, with the message in the path: a filter behind this one gives it a body (`bridged`).
    Bridged,
    /// In place, with the bare message as the body, of which that filter makes gRPC.
    BridgedBody,
    /// By the host's gRPC call API.
    ByCall,
    /// Neither is to be had; what to change.
    Barred(&'static str),
}

impl Way {
    /// The way that configuration and host leave to a request with or without a body.
    fn choose(matched: &Matched, abilities: Abilities, head: &Head, has_body: bool) -> Self {
        let settings = &matched.plugin.settings;
        let calls = |dispatch: Dispatch| dispatch == Dispatch::Call && abilities.calls;
        if calls(settings.dispatch) {
            return Self::ByCall;
        }
        if has_body && settings.upstream.bridge_bodies && matched.method().is_unary() {
            return Self::BridgedBody;
        }
        if has_body || abilities.fills_bodyless {
            return Self::InPlace;
        }
        if settings.upstream.connect_bridge && matched.method().is_unary() {
            return Self::Bridged;
        }
        if calls(settings.bodyless) {
            return Self::ByCall;
        }
        if head.content_length.is_none() && matches!(head.method(), b"POST" | b"PUT" | b"PATCH") {
            return Self::Barred(
                "a request without a body cannot be carried in place here: send {} as the body, with its content-length, or \
                 have the operator set bodyless: call",
            );
        }
        Self::Barred(
            "a request without a body cannot be carried in place here: put the Lua filter in front of this one that gives \
             it a body (docs/requests-and-answers.md, \"Requests without a body\"), or set bodyless: call",
        )
    }
}

/// A request that has found its method and waits for its body.
#[derive(Debug)]
pub struct Pending {
    matched: Matched,
    head: Head,
    /// The frame so far: its prefix, then what path and query bind.
    frame: Vec<u8>,
    bound: Bound,
    /// In which form the body is, unless it is raw.
    form: ContentForm,
    deadline: Deadline,
    way: Way,
    /// What has come of the body, as long as that is not all of it.
    kept: Vec<u8>,
}

impl Pending {
    /// Checks the headers and binds path and query, whose captures are in `workspace`.
    ///
    /// # Errors
    ///
    /// 400, 401, 413 or 415, by what is wrong with them.
    pub fn new(
        mut matched: Matched,
        head: Head,
        end_of_stream: bool,
        abilities: Abilities,
        workspace: &mut Workspace,
    ) -> Result<Self, Failure> {
        matched.active = activate(&matched.plugin, matched.method(), &head.headers, abilities)?;
        let settings = &matched.plugin.settings;
        let form = match matched.takes_body() {
            true => check_media_type(&matched, &head)?,
            false => ContentForm::Json,
        };
        let asked = head
            .value(head.grpc_timeout)
            .map(timeout::parse)
            .transpose()
            .map_err(|error| Failure::header("grpc-timeout", &error))?;
        let limit = settings.limits.max_request_bytes;
        // A streamed body has no bound; each of its messages has.
        let length = head.content_length.filter(|_| !matched.method().client_streaming);
        if let Some(size) = length.filter(|size| *size > limit) {
            return Err(too_large(size, limit));
        }
        let mut frame = std::mem::take(&mut workspace.spare_frame);
        frame.clear();
        frame::begin(&mut frame);
        let has_body = matched.takes_body() && !end_of_stream;
        let bound = bind(&matched, head.query(), has_body, workspace, &mut frame)?;
        Ok(Self {
            deadline: Deadline::new(settings, matched.method(), asked),
            way: Way::choose(&matched, abilities, &head, !end_of_stream),
            matched,
            head,
            frame,
            bound,
            form,
            kept: Vec::new(),
        })
    }

    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        self.head.headers.footprint()
            + self.frame.capacity()
            + self.kept.capacity()
            + self.bound.path.footprint()
            + self.matched.footprint()
    }

    /// The method that is called.
    pub fn matched(&self) -> &Matched {
        &self.matched
    }

    /// How the request goes to the upstream.
    pub fn way(&self) -> Way {
        self.way
    }

    /// The response to the request, which goes on in place.
    pub fn await_in_place(&self, abilities: Abilities) -> InPlace {
        match self.way {
            Way::Bridged | Way::BridgedBody => InPlace::bridged(self.matched.clone(), self.deadline),
            _ => InPlace::new(self.matched.clone(), self.deadline, self.accept(), abilities),
        }
    }

    /// The answer to the request, which goes by a call.
    pub fn await_call(&self) -> ByCall {
        ByCall::new(self.matched.clone(), self.deadline, self.accept())
    }

    /// The client's `accept` header.
    fn accept(&self) -> Option<&[u8]> {
        self.head.value(self.head.accept)
    }

    /// Keeps the next bytes of the body, but for the last where they are all of it. Returns whether all of it has come.
    ///
    /// That is mostly not taken from its content-length: what goes on without the end may stop at a filter behind that waits
    /// for that, when the gateway reads no more. A host that holds to what is left of a body knows no other way.
    ///
    /// # Errors
    ///
    /// 413 where it is too much.
    pub fn keep(&mut self, chunk: &[u8], end: bool, abilities: Abilities) -> Result<bool, Failure> {
        let size = self.kept.len().saturating_add(chunk.len());
        let limit = self.matched.plugin.settings.limits.max_request_bytes;
        if size > limit {
            return Err(too_large(size, limit));
        }
        let by_length = || {
            self.head
                .content_length
                .is_some_and(|length| 0 < length && length <= size)
        };
        let complete = end || !abilities.replaces_requests && by_length();
        if !self.kept.is_empty() || !complete {
            let expected = self.head.content_length.map_or(size, |length| length.max(size));
            let missing = expected.saturating_sub(self.kept.len());
            reserve_as_it_comes(&mut self.kept, chunk.len(), missing);
            self.kept.extend_from_slice(chunk);
        }
        Ok(complete)
    }

    /// Whether the body doesn't say how long it is.
    pub fn lacks_length(&self) -> bool {
        self.head.content_length.is_none()
    }

    /// How long the message is by now: what path and query make of it.
    pub fn begun(&self) -> usize {
        self.frame.len()
    }

    /// What was kept of the body.
    pub fn take_kept(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.kept)
    }

    /// The frame, complete after [`Pending::convert`].
    pub fn take_frame(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.frame)
    }

    /// Completes the frame with what the request body says, if there is one. `has_body`: the host has one, in whose place the
    /// message may go; else that goes another way.
    ///
    /// # Errors
    ///
    /// 400 where the body is no such message, 413 where it is too large.
    pub fn convert(
        &mut self,
        body: &[u8],
        has_body: bool,
        abilities: Abilities,
        workspace: &mut Workspace,
    ) -> Result<(), Failure> {
        let settings = &self.matched.plugin.settings;
        self.way = Way::choose(&self.matched, abilities, &self.head, has_body);
        workspace.longest = workspace.longest.max(body.len());
        let limit = settings.limits.max_request_bytes;
        if body.len() > limit {
            return Err(too_large(body.len(), limit));
        }
        if self.matched.streams_request() {
            // Nothing was streamed: the upstream gets no message.
            self.frame.clear();
            return Ok(());
        }
        let content = Content {
            content_type: self.head.value(self.head.content_type).unwrap_or_default(),
            bytes: body,
            form: self.form,
            path: &self.bound.path,
            fills_mask: !self.bound.update_mask_set,
            element: None,
        };
        complete_frame(&self.matched, content, 0, workspace, &mut self.frame)
    }

    /// Makes this a request whose headers go on at once.
    ///
    /// # Errors
    ///
    /// 400 where the path doesn't fit a message.
    pub fn into_upload(self, workspace: &mut Workspace) -> Result<Upload, Failure> {
        let content_type = self.head.value(self.head.content_type).unwrap_or_default();
        let matched = self.matched;
        let mut parameters = UploadParameters {
            first: self.frame.get(frame::PREFIX_LENGTH..).unwrap_or_default().to_vec(),
            later: Vec::new(),
            path: self.bound.path,
        };
        if !matched.streams_request() {
            let message = Gathered {
                body: self.kept,
                content_type: content_type.to_vec(),
                form: self.form,
                length: self.head.content_length.filter(|length| *length > 0),
                fills_mask: !self.bound.update_mask_set,
            };
            return Ok(Upload::whole(
                matched,
                parameters,
                message,
                self.way == Way::BridgedBody,
            ));
        }
        bind(&matched, None, false, workspace, &mut parameters.later)?;
        Ok(match matched.request_body() {
            BodyType::Raw => Upload::raw(matched, parameters, content_type),
            BodyType::Json if is_lines(&media_type(content_type)) => Upload::elements(matched, parameters, Form::Lines),
            BodyType::Json => Upload::elements(matched, parameters, Form::Array),
        })
    }

    /// How the request headers become the upstream's: its path and framing in, what isn't metadata out.
    pub fn edit_headers(&self, abilities: Abilities, edits: &mut HeaderEdits) {
        edits.clear();
        let upstream = &self.matched.plugin.settings.upstream;
        self.remove_what_is_no_metadata(edits);
        if let Some(name) = abilities.original_path {
            let sent = self.head.sent_target.as_deref();
            edits.set(name, sent.unwrap_or_else(|| self.head.whole_path()));
        }
        let path = &self.matched.method().path;
        if self.way == Way::Bridged {
            // As the protocol has it, whatever the client's; the bridge makes it POST.
            if self.head.method() != b"GET" {
                edits.set(b":method", b"GET");
            }
            if self.head.content_type.is_some() {
                edits.remove(b"content-type");
            }
            let message = self.frame.get(frame::PREFIX_LENGTH..).unwrap_or_default();
            edits.set(b":path", connect::get(path, message).as_bytes());
        } else {
            if self.head.method() != b"POST" {
                edits.set(b":method", b"POST");
            }
            edits.set(b":path", path.as_bytes());
            let bridged = self.way == Way::BridgedBody;
            // The host's gRPC-Web filter, which is next, speaks plain gRPC upstream, and puts the trailers into the body.
            edits.set(
                b"content-type",
                match upstream.grpc_web {
                    _ if bridged => connect::MESSAGE,
                    true => GRPC_WEB_PROTO,
                    false => GRPC,
                },
            );
            match bridged {
                true => edits.set(connect::VERSION_HEADER.as_bytes(), connect::VERSION),
                false => edits.set(b"te", b"trailers"),
            }
        }
        if let Some(authority) = &upstream.authority {
            edits.set(b":authority", authority.as_bytes());
        }
        if let Some(time) = self.deadline.time() {
            edits.set(b"grpc-timeout", timeout::format(time).as_bytes());
        }
    }

    fn remove_what_is_no_metadata(&self, edits: &mut HeaderEdits) {
        let headers = &self.head.headers;
        let connection = metadata::connection_options(headers.iter());
        // The bridge would take them for its own: the request would be another one, or have another deadline.
        let bridge = self.matched.plugin.settings.upstream.connect_bridge;
        let is_bridges = |name: &[u8]| bridge && connect::is_reserved(name);
        let mut again = false;
        for (name, value) in headers.iter() {
            // Pseudo-headers stay, and what is set below is not worth a removal.
            if name.first() == Some(&b':') || matches!(name, b"content-type" | b"te") {
                continue;
            }
            match metadata::request_header(name, value, &connection) {
                RequestHeader::Forward if !is_bridges(name) => {}
                RequestHeader::Forward | RequestHeader::Drop => edits.remove(name),
                RequestHeader::Invalid | RequestHeader::List => {
                    edits.remove(name);
                    again = true;
                }
            }
        }
        if again {
            // The removal takes all values of the name: the good ones come back.
            for (name, value) in headers.iter() {
                if edits.removes(name) && !is_bridges(name) {
                    metadata::metadata_values(name, value, &connection).for_each(|value| edits.add(name, value));
                }
            }
        }
    }

    /// The request headers as initial metadata of a call.
    pub fn write_metadata(&self, out: &mut Headers) {
        out.clear();
        let headers = &self.head.headers;
        let connection = metadata::connection_options(headers.iter());
        for (name, value) in headers.iter() {
            metadata::metadata_values(name, value, &connection).for_each(|value| out.push(name, value));
        }
        if let Some(time) = self.deadline.of_call().time() {
            out.push(b"grpc-timeout", timeout::format(time).as_bytes());
        }
    }
}

/// Appends what the path, whose captures are in `workspace`, and `query` bind.
fn bind(
    matched: &Matched,
    query: Option<&[u8]>,
    has_body: bool,
    workspace: &mut Workspace,
    out: &mut Vec<u8>,
) -> Result<Bound, Failure> {
    let parameters = Parameters {
        captures: &workspace.captures,
        query,
        has_body,
    };
    let options = matched.plugin.settings.bind_options();
    workspace
        .binder
        .bind(matched.tables(), &matched.route, parameters, options, out)
        .map_err(|error| Failure::parameter(&error))
}

/// In which form the body is, unless it is raw.
fn check_media_type(matched: &Matched, head: &Head) -> Result<ContentForm, Failure> {
    if let Some(encoding) = head.value(head.content_encoding)
        && !encoding.trim_ascii().is_empty()
        && !encoding.trim_ascii().eq_ignore_ascii_case(b"identity")
    {
        return Err(Failure::unsupported_media_type(format!(
            "content-encoding {} is not supported: send the body as it is",
            shown(encoding, NAME)
        )));
    }
    let Some(content_type) = head.value(head.content_type) else {
        return Ok(ContentForm::Json);
    };
    // The most common one first.
    if content_type == JSON {
        return Ok(ContentForm::Json);
    }
    let media_type = media_type(content_type);
    let streams = matched.method().client_streaming;
    let json = media_type.is_empty() || is_json(&media_type);
    if json || streams && is_lines(&media_type) || matched.request_body() == BodyType::Raw {
        return Ok(ContentForm::Json);
    }
    let takes_form = !streams && matched.route.takes_form(matched.tables());
    if takes_form && *media_type == *FORM {
        return Ok(ContentForm::Urlencoded);
    }
    let or_form = match takes_form {
        true => " or application/x-www-form-urlencoded",
        false => "",
    };
    Err(Failure::unsupported_media_type(format!(
        "content-type {} is not supported: expected application/json{or_form}",
        shown(content_type, NAME)
    )))
}

/// 501: a streamed request can only go in place, through a host that streams.
pub fn cannot_stream() -> Failure {
    Failure::unimplemented(
        "a streamed request cannot be carried here: on Envoy it needs dispatch: in_place; gateways that read a request whole \
         cannot stream it",
    )
}

/// 501: a hook would have to be asked about the request, but its headers cannot wait for its body.
pub fn cannot_hold_for_hooks() -> Failure {
    Failure::unimplemented(
        "hooks cannot be asked about a request with a body on this gateway: set allow_on_headers_stop_iteration: true in the \
         Wasm filter's configuration",
    )
}

/// 501: the request would go by a call, but its headers cannot wait for its body.
pub fn cannot_hold() -> Failure {
    Failure::unimplemented(
        "dispatch: call cannot carry a request with a body on this gateway: set \
         allow_on_headers_stop_iteration: true in the Wasm filter's configuration, or dispatch: in_place",
    )
}
