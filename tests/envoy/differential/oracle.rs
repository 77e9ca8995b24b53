//! What SEMANTICS.md says of a request, whatever others do: the independent check of ours.

use bytes::Bytes;
use prost_reflect::{DynamicMessage, SerializeOptions, Value};

use crate::bench::client::Answer;
use crate::differential::answer::Failure;
use crate::differential::case::{Case, Expected, Note};
use crate::differential::compare::Outcome;
use crate::differential::json::Json;
use crate::differential::message::{held, is_initialized, same};
use crate::differential::schema::Schema;
use crate::differential::writer::{Fault, Variation};

/// Checks what became of a request in ours.
///
/// # Errors
/// What is wrong with it.
pub fn check(schema: &Schema, case: &Case, ours: &Outcome) -> Result<(), String> {
    match &case.expected {
        Expected::Refused(status) => {
            if ours.received.is_some() {
                return Err(format!("expected {status}, but it reached the upstream"));
            }
            let answer = ours.answer.clone()?;
            if answer.status != *status {
                return Err(format!("expected {status}, found {answer:?}"));
            }
            let json = ours.json().ok_or("no JSON")?;
            if *status == 400 && !case.has(|note| matches!(note, Note::Uninitialized)) {
                let field = violation(&json);
                let reversed = case.has(|note| matches!(note, Note::Varied(Variation::Reversed)));
                let site = case.notes.iter().find_map(|note| match note {
                    // What is wrong is what follows.
                    Note::Wrong(Fault::TrailingComma, _) => None,
                    Note::Wrong(Fault::Number, site) if ["01", "0x1"].contains(&&*site.text) => None,
                    // What of an Any it is isn't known before its `@type`.
                    Note::Wrong(Fault::Control | Fault::Surrogate | Fault::Number, _) if reversed => None,
                    Note::Wrong(_, site) if site.path.is_empty() => Some("body".to_owned()),
                    Note::Wrong(_, site) => Some(site.path.clone()),
                    Note::Query(oddity, name) if oddity.is_wrong() => Some(name.clone()),
                    _ => None,
                });
                if let Some(site) = site
                    && field.is_none_or(|field| field != site)
                {
                    return Err(format!("expected a violation of {site:?}, found {field:?}"));
                }
            }
            Ok(())
        }
        Expected::Call { path, messages } => {
            let Some(received) = &ours.received else {
                return Err(format!("expected a call of {path}"));
            };
            if received.path != *path {
                return Err(format!("expected a call of {path}, found one of {}", received.path));
            }
            let found = ours.messages(schema)?;
            if found.len() != messages.len() || !found.iter().zip(messages).all(|(one, other)| same(one, other)) {
                return Err(format!("expected {}\n    found {}", words(messages), words(&found)));
            }
            check_answer(schema, case, &ours.answer)
        }
    }
}

/// Checks what the client gets of the planned answer.
fn check_answer(schema: &Schema, case: &Case, ours: &Result<Answer, String>) -> Result<(), String> {
    let plan = &case.answer;
    let route = &schema.routes[case.route];
    let output = route.method.output();
    let decode = |wire: &Bytes| DynamicMessage::decode(output.clone(), wire.clone());
    let messages: Vec<_> = plan
        .messages
        .iter()
        .map(decode)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let raw = route.gives_raw();
    if let Some(failure) = &plan.error
        && (plan.fails_whole() || raw)
    {
        return match ours {
            // Raw bytes that fail late break off where their beginning is out.
            Err(_) if raw && plan.streams => Ok(()),
            ours => check_error(failure, ours.as_ref()?),
        };
    }
    let ours = ours.as_ref()?;
    // A message that lacks a required field can't be printed.
    if !messages.iter().all(is_initialized) {
        return Ok(());
    }
    let status = plan.http_code.map_or(200, |code| code.parse().unwrap());
    if ours.status != status {
        return Err(format!("expected {status}, found {ours:?}"));
    }
    if raw {
        return Ok(());
    }
    let mut expected = Vec::new();
    for message in &messages {
        let value = match &route.response_body {
            // Its value alone is no message to prost-reflect; Envoy's answer is what it is compared with.
            Some(_) => return Ok(()),
            None => Value::Message(message.clone()),
        };
        let Some(json) = printed(&value) else { return Ok(()) };
        expected.push(json);
    }
    if let Some(failure) = &plan.error {
        expected.push(serde_json::json!({ "error": { "code": failure.code as i32 } }));
    }
    let expected = if plan.streams {
        serde_json::Value::Array(expected)
    } else {
        expected.remove(0)
    };
    let found: serde_json::Value = serde_json::from_slice(&ours.body).map_err(|error| format!("{error}: {ours:?}"))?;
    if !same_json(&expected, &found) {
        return Err(format!("expected the body {expected}\n    found {found}"));
    }
    Ok(())
}

fn check_error(failure: &Failure, ours: &Answer) -> Result<(), String> {
    // google/rpc/code.proto.
    let status = [
        200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
    ][failure.code as usize];
    let json = Json::read(&ours.body).ok_or("no JSON")?;
    let message = json.get("message").and_then(Json::as_str).unwrap_or_default();
    let code = json.get("code") == Some(&Json::Number((failure.code as i32).to_string()));
    if ours.status != status || !code || message != failure.message {
        return Err(format!("expected {status} with {:?}, found {ours:?}", failure.message));
    }
    Ok(())
}

/// The JSON of prost-reflect; `None` where that is known to be wrong.
fn printed(value: &Value) -> Option<serde_json::Value> {
    let message = value.as_message().filter(|_| is_printed_well(value))?;
    message
        .serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new())
        .ok()
}

/// Whether prost-reflect prints all of a value as the specification says: a negative zero it leaves out, and of what
/// isn't finite in a wrapper it makes null.
fn is_printed_well(value: &Value) -> bool {
    match value {
        Value::F64(value) => value.is_finite() && (*value != 0.0 || value.is_sign_positive()),
        Value::F32(value) => value.is_finite() && (*value != 0.0 || value.is_sign_positive()),
        Value::Message(message) => match held(message) {
            Some(held) => is_printed_well(&Value::Message(held)),
            None => message.fields().all(|(_, value)| is_printed_well(value)),
        },
        Value::List(values) => values.iter().all(is_printed_well),
        Value::Map(entries) => entries.values().all(is_printed_well),
        _ => true,
    }
}

/// Equality but for how numbers are written, and for what an error says.
fn same_json(expected: &serde_json::Value, found: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (expected, found) {
        (Value::Number(expected), Value::Number(found)) => {
            let (expected, found) = (expected.as_f64().unwrap(), found.as_f64().unwrap());
            expected == found || f64::from(expected as f32) == expected && found as f32 == expected as f32
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected
                    .iter()
                    .zip(found)
                    .all(|(expected, found)| same_json(expected, found))
        }
        (Value::Object(expected), Value::Object(found)) => {
            let error = expected.contains_key("code") && expected.len() == 1;
            (error || expected.len() == found.len())
                && expected
                    .iter()
                    .all(|(name, value)| found.get(name).is_some_and(|found| same_json(value, found)))
        }
        _ => expected == found,
    }
}

fn words(messages: &[DynamicMessage]) -> String {
    messages
        .iter()
        .map(|message| message.to_text_format())
        .collect::<Vec<_>>()
        .join(" ; ")
}

/// The field of the field violation in an error.
fn violation(error: &Json) -> Option<&str> {
    error
        .get("details")?
        .at(0)?
        .get("fieldViolations")?
        .at(0)?
        .get("field")?
        .as_str()
}
