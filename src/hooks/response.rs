//! What a response hook's answer does to the response.

use std::collections::{BTreeMap, HashMap};

use super::failure::CallFailure;
use super::message::ResponseAnswer;
use super::names::{is_gateways_own, is_header};
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
            let value = as_it_came(name.as_bytes(), value, response).trim_ascii();
            if is_header(name.as_bytes(), value) && !is_gateways_own(name.as_bytes()) {
                headers.push(name.as_bytes(), value);
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
fn headers_of<'a>(answer: &'a ResponseAnswer<'_>, response: &CurrentResponse) -> Vec<(&'a str, Vec<&'a str>)> {
    let first: BTreeMap<&str, &str> = answer.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let all = answer.multivalue_headers.iter();
    let mut all: Vec<_> = all.map(|header| (header.key, header.values.clone())).collect();
    if is_as_sent(&first, response) {
        return all;
    }
    let mut places = HashMap::new();
    for (at, (name, _)) in all.iter().enumerate() {
        places.entry(*name).or_insert(at);
    }
    let mut added = Vec::new();
    for (name, value) in &first {
        match places.get(name).and_then(|at| all.get_mut(*at)) {
            Some((_, values)) => values.iter_mut().take(1).for_each(|first| *first = value),
            None => added.push((*name, vec![*value])),
        }
    }
    all.retain(|(name, _)| first.contains_key(name));
    all.append(&mut added);
    all
}

/// Whether these are the first values that the hook got.
fn is_as_sent(first: &BTreeMap<&str, &str>, response: &CurrentResponse) -> bool {
    let sent: BTreeMap<_, _> = first_values(response.headers.iter())
        .map(|(name, value)| {
            (
                String::from_utf8_lossy(&name).into_owned(),
                String::from_utf8_lossy(value),
            )
        })
        .collect();
    let same = |(name, value): (&String, &_)| first.get(name.as_str()).copied().unwrap_or_default() == *value;
    first.len() == sent.len() && sent.iter().all(same)
}

/// A value as the service sent it, where that had to be changed to be text.
fn as_it_came<'v>(name: &[u8], value: &'v str, response: &'v CurrentResponse) -> &'v [u8] {
    let as_sent = |(sent_name, sent): &(&[u8], &[u8])| *sent_name == name && String::from_utf8_lossy(sent) == value;
    match value.contains('\u{fffd}') {
        true => response
            .headers
            .iter()
            .find(as_sent)
            .map_or(value.as_bytes(), |(_, sent)| sent),
        false => value.as_bytes(),
    }
}
