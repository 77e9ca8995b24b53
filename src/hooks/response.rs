//! What a response hook's answer does to the response.

use std::borrow::Cow;

use super::failure::CallFailure;
use super::message::{Header, ResponseAnswer};
use super::names::{is_gateways_own, is_header};
use super::pairs::{self, Pairs, last_of_each, lossy, position};
use super::reply::has_body;
use super::sent::first_values;
use super::sniff::add_content_type;
use super::state::CurrentResponse;
use crate::http::headers::Headers;

/// Does to `response` what the answer says: its headers, its body and its status. Headers that the answer lacks are
/// removed.
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
    for (name, value) in headers_of(answer, response) {
        let name = name.to_ascii_lowercase();
        let value = as_it_came(&name, &value, response).trim_ascii();
        if is_header(&name, value) && !is_gateways_own(&name) {
            headers.push(&name, value);
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
    add_content_type(&response.body, &mut response.headers);
    Ok(())
}

/// The headers of an answer, with all their values. If `headers` is what was sent, they are `multivalue_headers`.
/// Otherwise a value in `headers` takes the place of the first of that name, and names that `headers` lacks are
/// removed.
fn headers_of<'a>(answer: &'a ResponseAnswer<'_>, response: &CurrentResponse) -> Pairs<'a> {
    let mut first = last_of_each(answer.headers.iter().map(pairs::borrowed).collect());
    let is_as_sent = first == first_values(response.headers.iter());
    let mut seen = vec![false; first.len()];
    let mut headers = Pairs::new();
    for Header { key, values } in &answer.multivalue_headers {
        let place = position(&first, key.as_bytes());
        let mut values = values.iter().map(|value| Cow::Borrowed(value.as_bytes()));
        if !is_as_sent {
            let Some((seen, (_, value))) = place.and_then(|place| seen.get_mut(place).zip(first.get(place))) else {
                continue;
            };
            if !std::mem::replace(seen, true) && values.next().is_some() {
                headers.push((key.as_bytes().into(), value.clone()));
            }
        }
        headers.extend(values.map(|value| (key.as_bytes().into(), value)));
    }
    if !is_as_sent {
        let mut seen = seen.into_iter();
        first.retain(|_| seen.next() == Some(false));
        headers.append(&mut first);
    }
    headers
}

/// The value that the service sent, if the hook got it with U+FFFD in place of bytes that aren't UTF-8 and left it so.
fn as_it_came<'v>(name: &[u8], value: &'v [u8], response: &'v CurrentResponse) -> &'v [u8] {
    let mark = "\u{fffd}".as_bytes();
    if !value.windows(mark.len()).any(|part| part == mark) {
        return value;
    }
    let as_sent = |(sent_name, sent): &(&[u8], &[u8])| *sent_name == name && *lossy(sent) == *value;
    response.headers.iter().find(as_sent).map_or(value, |(_, sent)| sent)
}
