//! What a response hook's answer does to the response.

use std::borrow::Cow;

use super::failure::CallFailure;
use super::message::{Header, ResponseAnswer};
use super::names::{is_gateways_own, is_header};
use super::pairs::{self, last_of_each, lossy, position};
use super::reply::has_body;
use super::sent::first_values;
use super::state::CurrentResponse;
use crate::http::headers::Headers;

/// Does to `response` what the answer says: its headers, its body and its status. All headers are the answer's then.
///
/// # Errors
///
/// The answer can't be used, and the response is as it was.
pub(super) fn apply(
    answer: &ResponseAnswer<'_>,
    is_head: bool,
    response: &mut CurrentResponse,
) -> Result<(), CallFailure> {
    let status = match answer.code {
        0 => response.status,
        code @ 200..=599 => code as u16,
        code => return Err(CallFailure::StatusCode(code)),
    };
    let mut headers = Headers::default();
    for (name, values) in headers_of(answer, response) {
        let name = name.to_ascii_lowercase();
        for value in values {
            let value = as_it_came(&name, &value, response).trim_ascii();
            if is_header(&name, value) && !is_gateways_own(&name) {
                headers.push(&name, value);
            }
        }
    }
    response.headers = headers;
    response.status = status;
    if is_head || !has_body(status) {
        response.body.clear();
    } else if response.body != answer.raw_body {
        response.body.clear();
        response.body.extend_from_slice(answer.raw_body);
    }
    Ok(())
}

/// The headers of an answer, with all their values: `multivalue_headers`, where `headers` is what was sent. Where it isn't, its
/// values take the first places, and what it lacks is gone.
fn headers_of<'a>(
    answer: &'a ResponseAnswer<'_>,
    response: &CurrentResponse,
) -> Vec<(Cow<'a, [u8]>, Vec<Cow<'a, [u8]>>)> {
    let mut first = last_of_each(answer.headers.iter().map(pairs::borrowed).collect());
    let is_as_sent = first == first_values(response.headers.iter());
    let mut seen = vec![false; first.len()];
    let mut headers = Vec::with_capacity(answer.multivalue_headers.len());
    for Header { key, values } in &answer.multivalue_headers {
        let mut values: Vec<_> = values.iter().map(|value| Cow::Borrowed(value.as_bytes())).collect();
        if !is_as_sent {
            let Some(at) = position(&first, key.as_bytes()) else {
                continue;
            };
            if let (Some(seen @ false), Some((_, value))) = (seen.get_mut(at), first.get(at)) {
                *seen = true;
                values.iter_mut().take(1).for_each(|first| first.clone_from(value));
            }
        }
        headers.push((Cow::Borrowed(key.as_bytes()), values));
    }
    if !is_as_sent {
        let mut seen = seen.into_iter();
        first.retain(|_| seen.next() == Some(false));
        headers.extend(first.into_iter().map(|(name, value)| (name, vec![value])));
    }
    headers
}

/// A value as the service sent it, where that had to be changed to be text.
fn as_it_came<'v>(name: &[u8], value: &'v [u8], response: &'v CurrentResponse) -> &'v [u8] {
    let mark = "\u{fffd}".as_bytes();
    if !value.windows(mark.len()).any(|part| part == mark) {
        return value;
    }
    let as_sent = |(sent_name, sent): &(&[u8], &[u8])| *sent_name == name && *lossy(sent) == *value;
    response.headers.iter().find(as_sent).map_or(value, |(_, sent)| sent)
}
