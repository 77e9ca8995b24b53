//! What a request hook's answer does to the request.
//!
//! All of it is looked at before anything is changed: an answer that can't be used leaves the request as it was.

use super::failure::CallFailure;
use super::message::RequestAnswer;
use super::names::{is_gateways_own, is_header, is_token};
use super::pairs::{self, Pairs, last_of_each, position, sort};
use super::query;
use super::settings::Client;
use super::state::{CurrentRequest, HeaderChanges};
use super::target::Target;
use crate::text::equal::equal;

/// Does to `request` what the answer says: its body, headers, query, path and method, in this order. A gRPC client's
/// call is changed in its headers only.
///
/// # Errors
///
/// The answer can't be used.
pub(super) fn apply(
    answer: &RequestAnswer<'_>,
    client: Client,
    request: &mut CurrentRequest,
) -> Result<(), CallFailure> {
    let code = answer.overrides.code;
    if code > 0 && !(200..=599).contains(&code) {
        return Err(CallFailure::StatusCode(code));
    }
    if is_echo(answer, request) {
        return Ok(());
    }
    let mut changes = header_changes(answer, client)?;
    let sent = String::from_utf8_lossy(request.target());
    let is_as_sent = sent == answer.url;
    // A path that the client has misspelled isn't the hook's error: it is found later, as without hooks.
    let target = match is_as_sent && !sent.is_empty() {
        true => Target::split(answer.url),
        false => Target::parse(answer.url).ok_or(CallFailure::Url)?,
    };
    let method = match answer.method {
        "" => "GET",
        method if is_token(method.as_bytes()) => method,
        _ => return Err(CallFailure::Method),
    };
    if client == Client::Native {
        request.change(&changes);
        return Ok(());
    }
    let path = match is_as_sent && answer.add_params.is_empty() && answer.delete_params.is_empty() {
        true => request.target().to_vec(),
        false => new_target(answer, &target, is_as_sent, request),
    };
    changes.set.push((b":path".into(), path.into()));
    changes.set.push((b":method".into(), method.as_bytes().into()));
    sort(&mut changes.set);
    request.set_body(answer.raw_body, &mut changes);
    request.change(&changes);
    Ok(())
}

/// Whether the answer is the request as the hook got it: what most hooks answer mostly.
fn is_echo(answer: &RequestAnswer<'_>, request: &CurrentRequest) -> bool {
    answer.set_headers.is_empty()
        && answer.delete_headers.is_empty()
        && answer.add_params.is_empty()
        && answer.delete_params.is_empty()
        && !answer.url.is_empty()
        && equal(answer.url.as_bytes(), request.target())
        && equal(answer.method.as_bytes(), request.method())
        && equal(answer.raw_body, request.body())
}

/// What the answer changes in the headers, pseudo-headers aside.
fn header_changes<'m>(answer: &'m RequestAnswer<'_>, client: Client) -> Result<HeaderChanges<'m>, CallFailure> {
    // Hooks don't change what makes a request a gRPC call.
    let is_kept = |name: &[u8]| {
        is_gateways_own(name) || client == Client::Native && (name == b"content-type" || name.starts_with(b"grpc-"))
    };
    let deleted = answer
        .delete_headers
        .iter()
        .map(|name| name.to_ascii_lowercase().into_bytes());
    let mut set = Pairs::new();
    for (name, value) in &answer.set_headers {
        let (name, value) = (name.to_ascii_lowercase(), value.trim_ascii());
        if is_kept(&name) {
            continue;
        }
        // It can't just be left out: the client's own value would stay.
        if !is_header(&name, value) {
            return Err(CallFailure::Header);
        }
        set.push((name.into(), value.into()));
    }
    Ok(HeaderChanges {
        deleted: pairs::names(deleted.filter(|name| !is_kept(name))),
        set: last_of_each(set),
        length: None,
    })
}

/// The new path and query. A part that the answer doesn't change keeps its spelling.
fn new_target(answer: &RequestAnswer<'_>, target: &Target<'_>, is_as_sent: bool, request: &CurrentRequest) -> Vec<u8> {
    let mut wanted = Vec::with_capacity(answer.url.len());
    match is_as_sent {
        true => wanted.extend_from_slice(request.path()),
        false => target.append_path(&mut wanted),
    }
    let values = new_query(answer, request);
    let mut query = Vec::new();
    if query::parse(target.query.as_bytes()) == values {
        target.append_query(&mut query);
    } else {
        query = query::encode(&values);
    }
    if !query.is_empty() {
        wanted.push(b'?');
        wanted.append(&mut query);
    }
    wanted
}

fn new_query(answer: &RequestAnswer<'_>, request: &CurrentRequest) -> Pairs<'static> {
    let added = last_of_each(answer.add_params.iter().map(pairs::owned).collect());
    let deleted = answer.delete_params.iter().map(|name| name.as_bytes().to_vec());
    let deleted = pairs::names(deleted);
    let mut values = query::parse(request.query());
    values.retain(|(name, _)| position(&added, name).is_none() && position(&deleted, name).is_none());
    values.extend(added);
    sort(&mut values);
    values
}
