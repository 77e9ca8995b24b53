//! Little that becomes much within one part of a body: a virtual machine without memory is lost with all it holds.

use super::*;

const TOTAL: usize = 8 << 20;

fn begun(more: serde_json::Value, path: &str, workspace: &mut Workspace) -> Exchange {
    let mut configuration = more;
    configuration["limits"] = json!({ "max_total_bytes": TOTAL });
    let mut exchange = Exchange::new(plugin(configuration));
    let asked = request("POST", path, &[("accept", "application/x-ndjson")]);
    exchange.request_headers(asked, false, ENVOY, workspace);
    exchange
}

#[test]
fn the_messages_of_one_part_of_an_answer_take_no_more_than_there_is() {
    let text = [&[0x0a, 0x80, 0x80, 0x40][..], &vec![b'x'; 1 << 20]].concat();
    let fields = json!({ "json": { "always_print_fields_with_no_presence": true } });
    for (frame, more) in [(compressed_frame(&text), json!({})), (vec![0; 5], fields)] {
        let mut workspace = Workspace::default();
        let mut exchange = begun(more, "/down", &mut workspace);
        exchange.request_chunk(b"{}", true, ENVOY, &mut workspace);
        exchange.response_headers(grpc_response(), false, None, ENVOY, &mut workspace);
        let part = frame.repeat((1 << 20) / frame.len());
        match exchange.response_chunk(&part, false, &mut workspace) {
            ResponseStep::Chunk { body, .. } => {
                let end = body.len().saturating_sub(200);
                let end = String::from_utf8_lossy(&body[end..]);
                assert!(end.contains("{\"error\":{\"code\":8,"), "{end}");
            }
            step => panic!("{step:?}"),
        }
        assert!(workspace.body.capacity() < TOTAL, "{}", workspace.body.capacity());
        assert_eq!(exchange.outcome().unwrap().code, Code::ResourceExhausted);
    }
}

#[test]
fn the_messages_of_one_part_of_an_upload_take_no_more_than_there_is() {
    let mut workspace = Workspace::default();
    let path = format!("/up-by/{}", "y".repeat(10_000));
    let mut exchange = begun(json!({}), &path, &mut workspace);
    let part = ["[{}", &",{}".repeat(10_000), "]"].concat();
    match exchange.request_chunk(part.as_bytes(), true, ENVOY, &mut workspace) {
        RequestStep::BreakOff(reply) => assert_eq!(reply.status, 503),
        step => panic!("{step:?}"),
    }
    assert!(workspace.upload.capacity() < TOTAL, "{}", workspace.upload.capacity());
    assert_eq!(exchange.outcome().unwrap().code, Code::ResourceExhausted);
}
