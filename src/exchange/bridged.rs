//! A unary answer in place that Envoy's Connect bridge has made of gRPC's: the bare message, or the error as JSON. The bridge
//! has held all of it, and hands it on in one part; the trailing metadata are among its headers.

use super::answer::{Answer, Whole, no_message, too_large};
use super::failure::Failure;
use super::inflate::inflate_message;
use super::matched::BodyType;
use super::workspace::Workspace;
use crate::grpc::{Code, connect};
use crate::http::media_type::{GRPC, JSON};

/// The answer of a bridge.
#[derive(Debug, Default)]
pub struct Bridged {
    /// The HTTP status of an error: its body is the error, and else the message.
    error_status: Option<u16>,
    /// The content-type of a raw message.
    content_type: Vec<u8>,
    /// The client's whole body is written.
    ended: bool,
}

impl Bridged {
    /// Reads the headers, which `answer` has.
    ///
    /// # Errors
    ///
    /// Where it is no bridge's answer, or has no body.
    pub fn headers(&mut self, answer: &Answer, end_of_stream: bool) -> Result<(), Failure> {
        let http_status = answer.initial.status().unwrap_or(0);
        match answer.initial.get("content-type").unwrap_or_default() {
            connect::MESSAGE if http_status == 200 && end_of_stream => Err(no_message()),
            connect::MESSAGE if http_status == 200 => early_status(answer),
            JSON if http_status != 200 && !end_of_stream => {
                self.error_status = Some(http_status);
                Ok(())
            }
            content_type if http_status == 200 && content_type.starts_with(GRPC) => {
                // The bridge takes headers alone for gRPC's if they have a status.
                match end_of_stream && answer.initial.get("grpc-status").is_none() {
                    true => Err(answer.status().err().unwrap_or_else(no_message)),
                    false => Err(no_bridge()),
                }
            }
            _ => Err(answer.not_grpc()),
        }
    }

    /// The HTTP status of an error whose headers go on before its body has come, which alone has the code. The bridge's
    /// differs from ours for some codes, and for others has told them apart no more.
    pub fn early_error_status(&self) -> Option<u16> {
        self.error_status.map(|http_status| match http_status {
            408 => Code::DeadlineExceeded.http_status(),
            412 => Code::FailedPrecondition.http_status(),
            http_status => http_status,
        })
    }

    /// Reads the body: what the client gets of it is put into `workspace`.
    ///
    /// # Errors
    ///
    /// The upstream's, or 502 where the body is neither message nor error.
    pub fn body(&mut self, answer: &Answer, body: &[u8], workspace: &mut Workspace) -> Result<Whole, Failure> {
        self.ended = true;
        let limits = &answer.matched.plugin.settings.limits;
        let limit = limits.max_message_bytes.min(limits.max_response_bytes);
        if body.len() > limit {
            return Err(too_large(body.len(), limit));
        }
        if self.error_status.is_some() {
            return Err(match connect::read_error(body) {
                Some(status) => answer.deadline.judge(Failure::of(status)),
                None => answer.not_grpc(),
            });
        }
        match answer.initial.get("content-encoding") {
            None | Some(b"identity") => answer.convert(body, workspace)?,
            Some(encoding) => {
                let mut inflater = std::mem::take(&mut workspace.inflater);
                let converted = inflate_message(body, Some(encoding), limits, &mut inflater)
                    .and_then(|message| answer.convert(message, workspace));
                workspace.inflater = inflater;
                converted?;
            }
        }
        if answer.matched.response_type() == BodyType::Raw {
            self.content_type.clone_from(&workspace.content_type);
        }
        Ok(answer.succeed(workspace))
    }

    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        self.content_type.capacity()
    }

    /// The content-type of what the client gets.
    pub fn content_type<'a>(&'a self, answer: &'a Answer) -> &'a [u8] {
        match self.error_status {
            Some(_) => answer.matched.plugin.settings.errors.content_type(),
            None => answer.content_type(&self.content_type),
        }
    }

    /// Whether the client's whole body is written.
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

/// The bridge looks for a status in the trailers alone: where the headers have one although a body follows, it leaves it
/// there, and takes the answer for a success.
fn early_status(answer: &Answer) -> Result<(), Failure> {
    if answer.initial.get("grpc-status").is_none() {
        return Ok(());
    }
    match answer.status()? {
        status if status.code == Code::Ok => Ok(()),
        status => Err(answer.deadline.judge(Failure::of(status))),
    }
}

/// 502: there is more than the one part that a bridge hands on.
pub fn split() -> Failure {
    Failure::bad_answer(
        "the answer came in parts, but Envoy's connect_grpc_bridge hands it on whole: have no filter between that and this one",
    )
}

/// 503: the upstream breaks the request off, as services in gRPC's C core do that have got it as it was meant for a bridge.
pub fn broken_off() -> Failure {
    Failure::unavailable(
        "the upstream broke the request off: it cannot be reached, or has got it as it was meant for a Connect bridge, since \
         envoy.filters.http.connect_grpc_bridge is not right behind this filter",
    )
}

/// 502: the answer is more than a bridge holds.
pub fn overflow() -> Failure {
    Failure::answer_too_large(
        "the answer has more bytes than Envoy's connect_grpc_bridge holds (per_connection_buffer_limit_bytes, \
         initial_stream_window_size)",
    )
}

/// 501: the upstream has got the request as it was meant for a bridge.
fn no_bridge() -> Failure {
    Failure::unimplemented(
        "no Connect bridge has seen this request: put envoy.filters.http.connect_grpc_bridge right behind this filter, or set \
         upstream.connect_bridge: false",
    )
}
