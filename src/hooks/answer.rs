//! What a request hook's answer does to the request.
//!
//! All of it is looked at before anything is changed: an answer that can't be used leaves the request as it was.

use super::failure::CallFailure;
use super::message::RequestAnswer;
use super::names::{is_gateways_own, is_header, is_token};
use super::query::{self, Values};
use super::settings::Client;
use super::state::{CurrentRequest, HeaderChanges};
use super::target::Target;

/// Does to `request` what the answer says: its body, headers, query, path and method, in this order. Of a gRPC client's call it
/// is the headers alone.
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
    let mut changes = header_changes(answer, client)?;
    let target = Target::parse(answer.url).ok_or(CallFailure::Url)?;
    let method = match answer.method {
        "" => "GET",
        method if is_token(method.as_bytes()) => method,
        _ => return Err(CallFailure::Method),
    };
    if client == Client::Native {
        request.change(&changes);
        return Ok(());
    }
    let path = new_target(answer, &target, request);
    changes.set.insert(b":path".to_vec(), path);
    changes.set.insert(b":method".to_vec(), method.as_bytes().to_vec());
    request.set_body(answer.raw_body, &mut changes);
    request.change(&changes);
    Ok(())
}

fn header_changes(answer: &RequestAnswer<'_>, client: Client) -> Result<HeaderChanges, CallFailure> {
    // The form of a gRPC call isn't a hook's to change.
    let is_kept = |name: &str| {
        is_gateways_own(name.as_bytes())
            || client == Client::Native && (name == "content-type" || name.starts_with("grpc-"))
    };
    let mut changes = HeaderChanges::default();
    for name in &answer.delete_headers {
        let name = name.to_ascii_lowercase();
        if !is_kept(&name) {
            changes.deleted.insert(name.into_bytes());
        }
    }
    for (name, value) in &answer.set_headers {
        let (name, value) = (name.to_ascii_lowercase(), value.trim_ascii());
        if is_kept(&name) {
            continue;
        }
        // Left out, the client's own value would stay in its place.
        if !is_header(name.as_bytes(), value.as_bytes()) {
            return Err(CallFailure::Header);
        }
        changes.set.insert(name.into_bytes(), value.as_bytes().to_vec());
    }
    Ok(changes)
}

/// Path and query as they are to be. What the answer leaves as it was is spelled as it was.
fn new_target(answer: &RequestAnswer<'_>, target: &Target<'_>, request: &CurrentRequest) -> Vec<u8> {
    let sent = String::from_utf8_lossy(request.target());
    let keeps_query = answer.add_params.is_empty() && answer.delete_params.is_empty();
    if sent == answer.url && keeps_query {
        return request.target().to_vec();
    }
    let mut wanted = Vec::with_capacity(answer.url.len());
    match sent == answer.url {
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

fn new_query(answer: &RequestAnswer<'_>, request: &CurrentRequest) -> Values {
    let mut values = query::parse(request.query());
    for name in &answer.delete_params {
        values.remove(name.as_bytes());
    }
    for (name, value) in &answer.add_params {
        values.insert(name.as_bytes().to_vec(), vec![value.as_bytes().to_vec()]);
    }
    values
}
