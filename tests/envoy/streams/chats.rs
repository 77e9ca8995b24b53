//! Streams in both directions.

use super::{Form, chat, flowing, is_error, start, text};
use crate::bench::client::Http;
use crate::bench::script;
use crate::bench::upstream::Script;

#[tokio::test]
async fn a_chat_goes_back_and_forth() {
    for form in Form::ALL {
        for listener in flowing(form) {
            for version in Http::BOTH {
                let row = format!("{form:?} {listener} {version:?}");
                let call = script(Script::echo_each());
                let mut live = start(listener, version, chat(form), &call).await;
                for index in 0..10 {
                    live.send(format!("{}\n", text(index + 1))).await;
                    if index == 0 {
                        assert_eq!(live.head().await.unwrap().0, 200, "{row}");
                    }
                    let expected = form.message(index, &text(index + 1));
                    let arrived = live.exactly(expected.len()).await;
                    assert_eq!(arrived.as_deref(), Ok(expected.as_bytes()), "{row}");
                }
                live.end().await;
                assert_eq!(live.rest().await.as_deref(), Ok(form.end(10).as_bytes()), "{row}");
            }
        }
    }
}

#[tokio::test]
async fn a_malformed_element_in_a_chat_breaks_it_off() {
    for listener in ["web", "plain", "web-no-stop"] {
        for version in Http::BOTH {
            let mut call = script(Script::echo_each());
            let mut live = start(listener, version, chat(Form::Ndjson), &call).await;
            let received = call.received().await;
            live.send(format!("{}\n", text(1))).await;
            assert_eq!(live.head().await.unwrap().0, 200);
            assert_eq!(
                live.exactly(17).await.as_deref(),
                Ok(format!("{}\n", text(1)).as_bytes())
            );
            live.send("{\"int32Value\":\"x\"}\n").await;
            let rest = live.rest().await;
            match &rest {
                Ok(rest) => assert!(
                    String::from_utf8_lossy(rest).starts_with(r#"{"error":{"code":3,"#),
                    "{listener} {version:?}: {rest:?}"
                ),
                Err(error) => assert!(!error.contains("hangs"), "{listener} {version:?}: {error}"),
            }
            received.cancelled().await;

            // Before anything of an answer has gone out, it is an error as any.
            let call = script(Script::echo_each());
            let mut live = start(listener, version, chat(Form::Ndjson), &call).await;
            live.send("{\"int32Value\":\"x\"}\n").await;
            match live.answer().await {
                Ok(answer) => is_error(&answer, 400, 3),
                Err(error) => panic!("{listener} {version:?}: {error}"),
            }
        }
    }
}
