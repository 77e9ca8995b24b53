//! Server-sent events through real Envoy to the EventSource of a real browser. Skipped where there is no Chromium.
//!
//! A page tells what it sees by requests of its own. That events arrive as they come is shown without a clock: the server
//! sends the next one when the page has told of the one before.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use tonic::Code;

use crate::bench::bootstrap::Listener;
use crate::bench::chromium::{self, Browser};
use crate::bench::upstream::{Call, Gate, LIMIT, SCRIPT_KEY, Script};
use crate::bench::{Bench, schema, script};

/// The page of the demo.
const WATCH: &str = include_str!("../../examples/bookstore/watch.html");

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let protos = json!({
            "everything.proto": schema::PROTO,
            "bookstore/v1/bookstore.proto": include_str!("../../proto-fixtures/bookstore/v1/bookstore.proto"),
            "bookstore/v1/types.proto": include_str!("../../proto-fixtures/bookstore/v1/types.proto"),
        });
        let events = format!("<!doctype html><meta charset=utf-8><script>{REPORT}{EVENTS}</script>");
        let body = "<h1>";
        let watch = WATCH.replacen(body, &format!("<script>{REPORT}{CONTENTS}</script>{body}"), 1);
        assert_ne!(watch, WATCH);
        let configuration = json!({
            "protos": protos,
            "services": ["bookstore.v1.Bookstore", "test.everything.Echo", "test.everything.Streams"],
            "upstream": { "grpc_web": true },
        });
        Bench::start(&[Listener::new("browser", &configuration)
            .with_lua()
            .with_grpc_web()
            .without_route_timeout()
            .page("/events", events)
            .page("/watch", watch)])
    })
}

/// Has the upstream answer the page's EventSource, which can add no header, and take its reports, one after the other.
const REPORT: &str = r#"
    const scripts = new URLSearchParams(location.search);
    document.cookie = "x-script=" + scripts.get("events");
    let reported = Promise.resolve();
    const report = (text) => {
      reported = reported.then(() => fetch("/v1/echo", {
        method: "POST",
        headers: { "content-type": "application/json", "x-script": scripts.get("reports") },
        body: JSON.stringify({ stringValue: text }),
      }));
    };
"#;

/// Tells of all that an EventSource gets.
const EVENTS: &str = r#"
    const source = new EventSource("/v1/streams");
    const state = () => ["connecting", "open", "closed"][source.readyState];
    source.onopen = () => report("open");
    source.onmessage = ({ data }) => report("message " + data);
    source.onerror = ({ data }) => report("error " + (data ?? "without data") + ", " + state());
"#;

/// Tells what the page shows, whenever that changes.
const CONTENTS: &str = r#"
    addEventListener("load", () => new MutationObserver(() => report(document.body.innerText))
      .observe(document.body, { childList: true, characterData: true, subtree: true }));
"#;

/// One page in a browser of its own.
struct Page {
    browser: Browser,
    /// The calls of its EventSource.
    events: Call,
    reports: Call,
    /// What has been reported.
    seen: Vec<String>,
}

impl Page {
    /// `None` where there is no browser.
    fn open(test: &str, path: &str, events: Script) -> Option<Self> {
        let chromium = chromium::find(test)?;
        let (events, reports) = (script(events), script(Script::echo()));
        assert_eq!(SCRIPT_KEY, "x-script");
        let url = format!(
            "http://{}{path}?events={}&reports={}",
            bench().at("browser").address,
            events.id(),
            reports.id()
        );
        let browser = Browser::open(&chromium, &url);
        Some(Self {
            browser,
            events,
            reports,
            seen: Vec::new(),
        })
    }

    async fn report(&mut self) -> String {
        let deadline = Instant::now() + LIMIT;
        while !self.reports.has_received() {
            assert!(
                Instant::now() < deadline,
                "the page reports nothing more behind {:?}; the browser: {}",
                self.seen,
                self.browser.words()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let report = self.reports.received().await.json()["stringValue"].clone();
        let report = report.as_str().unwrap_or_default().to_owned();
        self.seen.push(report.clone());
        report
    }

    /// Waits until the page shows exactly this.
    async fn shows(&mut self, lines: &[&str]) {
        loop {
            let report = self.report().await;
            let shown: Vec<&str> = report.split('\n').filter(|line| !line.is_empty()).collect();
            if shown == lines {
                return;
            }
        }
    }
}

#[tokio::test]
async fn an_event_source_gets_each_event_before_the_next_is_sent() {
    let gate = Gate::default();
    let mut sends = Script::default();
    for number in 1..=5 {
        sends = sends.then(json!({ "int32Value": number })).hold(&gate);
    }
    let sends = sends.then_error(Code::ResourceExhausted, "m");
    let test = "an_event_source_gets_each_event_before_the_next_is_sent";
    let Some(mut page) = Page::open(test, "/events", sends) else {
        return;
    };
    assert_eq!(page.events.received().await.header("accept"), Some("text/event-stream"));
    assert_eq!(page.report().await, "open");
    for number in 1..=5 {
        assert_eq!(page.report().await, format!(r#"message {{"int32Value":{number}}}"#));
        gate.open();
    }
    // The service's error is told from the end of the stream, behind which an EventSource connects again by itself.
    let error = r#"error {"error":{"code":8,"message":"m"}}, open"#;
    assert_eq!(page.report().await, error);
    assert_eq!(page.report().await, "error without data, connecting");
    page.events.received().await;
    assert_eq!(page.report().await, "open");
}

#[tokio::test]
async fn an_event_source_is_refused_where_there_is_no_stream() {
    let test = "an_event_source_is_refused_where_there_is_no_stream";
    let Some(mut page) = Page::open(test, "/events", Script::error(Code::NotFound, "m")) else {
        return;
    };
    assert_eq!(page.report().await, "error without data, closed");
}

#[tokio::test]
async fn the_page_of_the_demo_shows_books_as_they_come() {
    let gate = Gate::default();
    let book =
        |id: &str, title: &str| json!({ "book": { "name": format!("shelves/mystery/books/{id}"), "title": title } });
    let sends = Script::reply(book("b", "Second"))
        .hold(&gate)
        .then(book("a", "First"))
        .hold(&gate)
        .then(json!({ "deleted": "shelves/mystery/books/b" }))
        .hold(&gate)
        .then_error(Code::ResourceExhausted, "too many watchers");
    let test = "the_page_of_the_demo_shows_books_as_they_come";
    let Some(mut page) = Page::open(test, "/watch", sends) else {
        return;
    };
    let title = "The mystery shelf, live";
    let (first, second) = ("First (shelves/mystery/books/a)", "Second (shelves/mystery/books/b)");
    page.shows(&[title, "connected", second]).await;
    gate.open();
    page.shows(&[title, "connected", first, second]).await;
    gate.open();
    page.shows(&[title, "connected", first]).await;
    gate.open();
    page.shows(&[title, "lost: too many watchers; trying again …", first])
        .await;
    // It does, and what was there before is gone.
    page.shows(&[title, "connected", second]).await;
}
