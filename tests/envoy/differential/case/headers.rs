//! Headers.

use prost_reflect::DynamicMessage;

use super::{Builder, HeaderOddity, Note};
use crate::bench::client::Request;
use crate::differential::schema::{Body, Route, entered};

/// The content type of the raw bytes in a request.
fn raw_type(messages: &[DynamicMessage], body: &Body) -> Option<String> {
    let message = messages.first()?;
    let raw = match body {
        Body::Field(field) => message.get_field(field).as_message()?.clone(),
        _ => message.clone(),
    };
    Some(raw.get_field_by_name("content_type")?.as_str()?.to_owned())
}

impl Builder<'_> {
    pub(super) fn headers(
        &mut self,
        mut request: Request,
        route: &Route,
        messages: &[DynamicMessage],
        has_body: bool,
    ) -> Request {
        let raw = match &route.body {
            Body::Whole => Some(route.method.input()),
            Body::Field(field) => entered(field),
            Body::None => None,
        };
        let raw = raw.is_some_and(|message| message.full_name() == "google.api.HttpBody");
        let takes_body = route.body != Body::None;
        let ignored = has_body && !takes_body;
        let oddity = match self.random.below(8) {
            4..8 if ignored && !self.plain => Some(HeaderOddity::Encoding),
            _ if self.plain || raw || !has_body => None,
            2 | 3 if self.refused.is_some() => None,
            0 => Some(HeaderOddity::NoType),
            1 => Some(HeaderOddity::JsonLike),
            2 if self.random.one_in(3) => Some(HeaderOddity::OtherType),
            3 if self.random.one_in(3) => Some(HeaderOddity::Encoding),
            _ => None,
        };
        let content_type = match oddity {
            Some(HeaderOddity::NoType) => None,
            Some(HeaderOddity::JsonLike) => Some(self.random.pick(&[
                "application/json; charset=utf-8",
                "Application/JSON",
                "application/hal+json",
            ])),
            Some(HeaderOddity::OtherType) => {
                Some(
                    self.random
                        .pick(&["text/plain", "application/x-www-form-urlencoded", "*/*"]),
                )
            }
            _ if has_body && !raw => Some("application/json"),
            _ => None,
        };
        let raw_type = raw.then(|| raw_type(messages, &route.body)).flatten();
        let raw_type = raw_type.as_deref();
        let content_type = content_type.or(raw_type);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        if matches!(oddity, Some(HeaderOddity::Encoding)) {
            request = request.header("content-encoding", "gzip");
        }
        if takes_body && matches!(oddity, Some(HeaderOddity::OtherType | HeaderOddity::Encoding)) {
            self.wrong(415);
        }
        self.notes.extend(oddity.map(Note::Header));
        if self.odd(20) && self.refused.is_none() {
            let (oddity, value) = self.random.pick(&[
                (HeaderOddity::Timeout, "9S"),
                (HeaderOddity::BadTimeout, "soon"),
                (HeaderOddity::BadTimeout, "5X"),
            ]);
            if oddity == HeaderOddity::BadTimeout {
                self.wrong(400);
            }
            request = request.header("grpc-timeout", value);
            self.notes.push(Note::Header(oddity));
        }
        // Envoy gives one to a request that has none.
        request = request.header("x-request-id", "3f9d0d2e-6c0e-4b0e-9a3a-1f2e3d4c5b6a");
        let pairs: [(&str, &[u8]); 9] = [
            ("authorization", b"Bearer a.b.c"),
            (
                "traceparent",
                b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
            ("baggage", b"a=b,c=d"),
            ("x-custom", b"one"),
            ("x-custom", b"two, three"),
            ("x-data-bin", b"AAEC/w"),
            ("cookie", b"a=b; c=d"),
            ("accept", b"application/json"),
            ("user-agent", b"differential/1"),
        ];
        for (name, value) in pairs {
            if self.random.one_in(5) {
                request = request.header(name, value);
            }
        }
        request
    }
}
