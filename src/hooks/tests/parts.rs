//! What the hooks' parts do by themselves.

use crate::hooks::names::append_canonical;
use crate::hooks::query::{encode, parse};
use crate::hooks::sniff::content_type;

#[test]
fn names_are_spelled_as_go_spells_them() {
    for (name, expected) in [
        ("x-request-id", "X-Request-Id"),
        ("www-authenticate", "Www-Authenticate"),
        ("ETAG", "Etag"),
        ("a--b-", "A--B-"),
        ("-a", "-A"),
        ("x_y.z-q", "X_y.z-Q"),
        ("has space", "has space"),
        ("x\u{e9}", "x\u{e9}"),
        ("", ""),
    ] {
        let mut out = Vec::new();
        append_canonical(name.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn names_are_spelled_the_same_wherever_their_hyphens_are_and_whatever_else_is_in_them() {
    // What RFC 9110, section 5.6.2, has in a token.
    let of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let by_bytes = |name: &[u8]| -> Vec<u8> {
        if !name.iter().all(|byte| of_token(*byte)) {
            return name.to_vec();
        }
        let begins = |at: usize| at == 0 || name[at - 1] == b'-';
        let spelled = |(at, byte): (usize, &u8)| match begins(at) {
            true => byte.to_ascii_uppercase(),
            false => byte.to_ascii_lowercase(),
        };
        name.iter().enumerate().map(spelled).collect()
    };
    for length in 1..=20 {
        for at in 0..length {
            for byte in 0..=255 {
                for rest in *b"b-9Z" {
                    let mut name = vec![b'b'; length];
                    name[(at + 1) % length] = rest;
                    name[at] = byte;
                    let mut out = b"before".to_vec();
                    append_canonical(&name, &mut out);
                    assert_eq!(
                        out.strip_prefix(b"before"),
                        Some(&*by_bytes(&name)),
                        "{}",
                        name.escape_ascii()
                    );
                }
            }
        }
    }
}

#[test]
fn queries_are_read_and_written_as_in_go() {
    for (query, encoded) in [
        ("", ""),
        ("b=2&a=1&b=1", "a=1&b=2&b=1"),
        ("a", "a="),
        ("=v", "=v"),
        ("&&a=1&", "a=1"),
        ("a=b=c", "a=b%3Dc"),
        ("a;b=1&c=2", "c=2"),
        ("a=%zz&%=1&c=%2", ""),
        ("sp+ace=%20%2B", "sp+ace=+%2B"),
        ("~-_.=~", "~-_.=~"),
        ("%ff=%00", "%FF=%00"),
    ] {
        assert_eq!(
            String::from_utf8(encode(&parse(query.as_bytes()))).unwrap(),
            encoded,
            "{query}"
        );
    }
}

#[test]
fn types_are_found_as_in_go() {
    let html = "text/html; charset=utf-8";
    let text = "text/plain; charset=utf-8";
    for (body, expected) in [
        ("{\"a\":1}", text),
        ("<html>", html),
        (" \n<!doctype HTML>", html),
        ("<p class=x>", html),
        ("<para>", text),
        ("<!-- c", html),
        ("<b", text),
        ("<?xml version=\"1.0\"?>", "text/xml; charset=utf-8"),
        ("%PDF-1.7", "application/pdf"),
        ("%!PS-Adobe-3", "application/postscript"),
        ("\u{feff}\u{1}", text),
        ("GIF89a", "image/gif"),
        ("a\u{1}", "application/octet-stream"),
        ("a\u{1b}[0m", text),
    ] {
        assert_eq!(content_type(body.as_bytes()), Some(expected), "{body:?}");
    }
    assert_eq!(content_type(b""), None);
    let late = format!("{}\u{1}", "a".repeat(512));
    assert_eq!(content_type(late.as_bytes()), Some(text));
}
