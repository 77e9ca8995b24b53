//! A virtual machine with the plugin in it, and the gateway's part in every exchange: which callback comes when, and what
//! becomes of its result.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use proxy_wasm_host::abi::v0_2_1::types::Action;
use proxy_wasm_host::abi::v0_2_1::{
    CallScope, CalloutId, ContextId, GrpcStatus, Guest, GuestError, InMemoryStore, PluginConfig, StreamKind, VmServices,
};

use super::calls::Calls;
use super::grpc::CallEvent;
use super::ledger::{Ledger, Metrics};
use super::message::{GuestHeaders, Headers};
use super::profile::Profile;
use super::stream::{Asked, BodyReach, Direction, End, Event, Flow, LocalReply, Stream, Streams};
use super::time::Time;

/// What a body callback says with the value that it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyAction {
    /// 0: all that has come goes on.
    Continue,
    /// 1, stop and buffer: the next callback sees it again, with what comes.
    Buffer,
    /// 2, stop and watermark: it is held back out of the filter's sight.
    Watermark,
}

impl BodyAction {
    /// The host crate knows the first two; it takes the third for an error behind the callback, which leaves all that the
    /// callback has done. No filter here returns what Envoy knows besides: 3, which holds back nothing and drops the part.
    fn of(returned: Result<Action, GuestError>) -> Result<Self, GuestError> {
        match returned {
            Ok(Action::Continue) => Ok(Self::Continue),
            Ok(Action::Pause) => Ok(Self::Buffer),
            Err(GuestError::UnexpectedReturn { value: 2, .. }) => Ok(Self::Watermark),
            Err(error) => Err(error),
        }
    }
}

/// A virtual machine that has accepted its configuration.
pub(super) struct Vm {
    guest: Guest,
    root: ContextId,
    /// `None` only while the guest has them.
    streams: Option<Streams>,
    pub calls: Arc<Calls>,
    pub ledger: Arc<Ledger>,
    pub profile: Profile,
    time: Arc<Time>,
    /// The period that the guest has set, and when its next tick is due.
    timer: Option<(Duration, Duration)>,
}

impl Vm {
    /// Starts the plugin in `guest`; whether it accepts its configuration, and the trap when it does not live to say.
    pub fn start(
        mut guest: Guest,
        configuration: &[u8],
        streams: Streams,
        calls: Arc<Calls>,
        time: Arc<Time>,
    ) -> Result<Option<Self>, GuestError> {
        let ledger = Arc::clone(&streams.ledger);
        let profile = streams.profile;
        let plugin = PluginConfig::new()
            .with_name("protobridge")
            .with_configuration(configuration);
        let (started, streams) = guest.with(streams, |scope| {
            let root = scope.on_context_create(None)?;
            let accepted = scope.on_vm_start(root)? && scope.on_configure(root, plugin)?;
            Ok::<_, GuestError>(accepted.then_some(root))
        });
        Ok(started?.map(|root| {
            let mut vm = Self {
                guest,
                root,
                streams: Some(streams),
                calls,
                ledger,
                profile,
                time,
                timer: None,
            };
            vm.set_timer();
            vm
        }))
    }

    /// The services of a guest.
    pub fn services(ledger: &Arc<Ledger>, calls: &Arc<Calls>, time: &Arc<Time>) -> VmServices {
        let metrics = Metrics {
            store: InMemoryStore::new(),
            ledger: Arc::clone(ledger),
        };
        VmServices::new(Arc::clone(ledger) as _)
            .with_callouts(Arc::clone(calls) as _)
            .with_shared(Arc::new(metrics))
            .with_clock(Arc::clone(time) as _)
    }

    /// A new exchange.
    pub fn open(&mut self) -> ContextId {
        let root = self.root;
        let context = self.run("proxy_on_context_create", |scope| scope.on_context_create(Some(root)));
        self.run("", |scope| scope.expect_stream_kind(context, StreamKind::Http));
        let stream = Stream::new(context.get(), &self.ledger);
        self.streams_mut().open.insert(context.get(), stream);
        context
    }

    /// The exchange of `context`.
    pub fn stream(&mut self, context: ContextId) -> &mut Stream {
        self.streams_mut()
            .open
            .get_mut(&context.get())
            .expect("an exchange that this machine opened")
    }

    /// Headers for one direction.
    pub fn headers(&mut self, context: ContextId, direction: Direction, headers: Headers, end: bool) {
        let headers = GuestHeaders::new(headers, context.get(), Arc::clone(&self.ledger));
        self.stream(context).side(direction).headers = headers;
        self.deliver(context, direction, Event::Headers { end });
    }

    /// Trailers for one direction.
    pub fn trailers(&mut self, context: ContextId, direction: Direction, trailers: Headers) {
        let trailers = GuestHeaders::new(trailers, context.get(), Arc::clone(&self.ledger));
        self.stream(context).side(direction).trailers = Some(trailers);
        self.deliver(context, direction, Event::Trailers);
    }

    /// Body bytes for one direction.
    pub fn data(&mut self, context: ContextId, direction: Direction, bytes: Vec<u8>, end: bool) {
        self.deliver(context, direction, Event::Data { bytes, end });
    }

    /// The client of `context` goes away.
    pub fn client_leaves(&mut self, context: ContextId) {
        self.finish(context, End::ClientLeft);
    }

    /// Lets time pass, with the ticks that are due in it.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.time.now() + duration;
        while let Some((period, due)) = self.timer
            && due <= end
        {
            self.time.set(due);
            self.timer = Some((period, due + period));
            let root = self.root;
            self.run("proxy_on_tick", |scope| scope.on_tick(root));
            self.settle();
        }
        self.time.set(end);
    }

    /// Whether the guest has a tick to come.
    pub fn ticks(&self) -> bool {
        self.timer.is_some()
    }

    /// One callback of the gRPC call `id`, which must be open.
    pub fn call_event(&mut self, context: ContextId, id: CalloutId, event: CallEvent) {
        match event {
            CallEvent::InitialMetadata(metadata) => self.run("proxy_on_grpc_receive_initial_metadata", |scope| {
                scope.on_grpc_receive_initial_metadata(context, id, metadata.to_pairs())
            }),
            CallEvent::Message(message) => self.run("proxy_on_grpc_receive", |scope| {
                scope.on_grpc_receive(context, id, Cow::Owned(message))
            }),
            CallEvent::TrailingMetadata(metadata) => self.run("proxy_on_grpc_receive_trailing_metadata", |scope| {
                scope.on_grpc_receive_trailing_metadata(context, id, metadata.to_pairs())
            }),
            CallEvent::Close { code, message } => self.run("proxy_on_grpc_close", |scope| {
                scope.on_grpc_close(context, id, GrpcStatus::new(code, message))
            }),
        }
        self.settle();
    }

    /// Whether the gRPC call `id` can still get callbacks.
    pub fn is_open(&self, id: CalloutId) -> bool {
        self.guest.open_callout(id).is_some()
    }

    /// Whether `context` has a gRPC call that can still get callbacks.
    pub fn waits_for_call(&self, context: ContextId) -> bool {
        self.guest.open_callouts().iter().any(|open| open.caller == context)
    }

    /// Takes one part of a message through the filter's callback and does with it what the result says.
    fn deliver(&mut self, context: ContextId, direction: Direction, event: Event) {
        let profile = self.profile;
        let stream = self.stream(context);
        if stream.end.is_some()
            || (direction == Direction::Request && stream.response.begun && stream.local_reply_asked)
        {
            return;
        }
        let side = stream.side(direction);
        if matches!(side.flow, Flow::Stopped | Flow::Full) {
            side.held.push_back(event);
            return;
        }
        match event {
            Event::Headers { end } => {
                side.begun = true;
                side.end_seen = end;
                side.headers_in_reach = true;
                let count = u32::try_from(side.headers.headers.len()).expect("few headers");
                let action = match direction {
                    Direction::Request => self.run("proxy_on_request_headers", |scope| {
                        scope.on_request_headers(context, count, end)
                    }),
                    Direction::Response => self.run("proxy_on_response_headers", |scope| {
                        scope.on_response_headers(context, count, end)
                    }),
                };
                let paused = self.paused(context, action);
                let side = self.stream(context).side(direction);
                if paused {
                    side.pause_at_headers(profile.pause_at_headers);
                } else {
                    side.headers_in_reach = false;
                    side.pass();
                }
            }
            Event::Data { bytes, end } => {
                side.end_seen = end;
                side.body.0.extend_from_slice(&bytes);
                // With this part there is too much in the buffer. A request's callback comes yet, and counts for nothing.
                let lost = side.body_reach == BodyReach::Buffered && side.body.0.len() > profile.buffer_limit;
                if lost && direction == Direction::Response {
                    self.overflow(context, direction);
                    return self.settle();
                }
                if lost || side.body_reach != BodyReach::Buffered {
                    side.body_reach = BodyReach::Part;
                }
                let side = self.stream(context).side(direction);
                let size = u32::try_from(side.body.0.len()).expect("a test's body is short");
                let action = match direction {
                    Direction::Request => self.run("proxy_on_request_body", |scope| {
                        BodyAction::of(scope.on_request_body(context, size, end))
                    }),
                    Direction::Response => self.run("proxy_on_response_body", |scope| {
                        BodyAction::of(scope.on_response_body(context, size, end))
                    }),
                };
                let ends = self.ends(context);
                if lost {
                    self.stream(context).asked.clear();
                    self.overflow(context, direction);
                    return self.settle();
                }
                let side = self.stream(context).side(direction);
                match action {
                    BodyAction::Continue if !ends => side.pass(),
                    BodyAction::Continue | BodyAction::Buffer => {
                        side.buffer_body();
                        if side.body.0.len() > profile.buffer_limit {
                            self.overflow(context, direction);
                        }
                    }
                    // The trailers that gRPC-Web's last frame is made of are read already.
                    BodyAction::Watermark if bytes.first() == Some(&0x80) => side.put_body_aside(usize::MAX),
                    BodyAction::Watermark => side.put_body_aside(profile.buffer_limit),
                }
            }
            Event::Trailers => {
                side.end_seen = true;
                side.trailers_in_reach = true;
                let count = side.trailers.as_ref().map_or(0, |trailers| trailers.headers.len());
                let count = u32::try_from(count).expect("few trailers");
                let action = match direction {
                    Direction::Request => self.run("proxy_on_request_trailers", |scope| {
                        scope.on_request_trailers(context, count)
                    }),
                    Direction::Response => self.run("proxy_on_response_trailers", |scope| {
                        scope.on_response_trailers(context, count)
                    }),
                };
                let paused = self.paused(context, action);
                let side = self.stream(context).side(direction);
                if paused {
                    side.flow = Flow::Paused;
                } else {
                    side.trailers_in_reach = false;
                    side.pass();
                }
            }
        }
        self.settle();
    }

    /// Whether what the callback saw is held back.
    fn paused(&mut self, context: ContextId, action: Action) -> bool {
        action == Action::Pause || self.ends(context)
    }

    /// Whether the callback asked for a local reply or a reset: that holds what it saw, whatever it returned.
    fn ends(&mut self, context: ContextId) -> bool {
        let asked = &self.stream(context).asked;
        asked.iter().any(|asked| !matches!(asked, Asked::Continue(_)))
    }

    /// Ends an exchange whose held back body exceeds the gateway's buffer.
    fn overflow(&mut self, context: ContextId, direction: Direction) {
        let stream = self.stream(context);
        stream.side(direction).drop_body();
        stream.local_reply_asked = true;
        match direction {
            Direction::Response if stream.response.headers_passed() => stream.asked.push(Asked::Reset),
            Direction::Request => stream.asked.push(Asked::LocalReply(LocalReply::new(
                413,
                Headers::default(),
                b"Payload Too Large".to_vec(),
            ))),
            Direction::Response => stream.response.replace(LocalReply::new(
                500,
                Headers::default(),
                b"Internal Server Error".to_vec(),
            )),
        }
    }

    /// Does what guests asked for in the last callback, which may have acted on any of its exchanges, and ends those that
    /// are complete.
    fn settle(&mut self) {
        loop {
            let next = self.streams_mut().open.iter_mut().find_map(|(id, stream)| {
                if stream.end.is_some() {
                    stream.asked.clear();
                }
                if !stream.asked.is_empty() {
                    return Some((*id, Some(stream.asked.remove(0))));
                }
                (stream.end.is_none() && stream.response.passed.ended).then_some((*id, None))
            });
            let Some((id, asked)) = next else { return };
            let context = ContextId::try_from(id).expect("a context of this machine");
            match asked {
                Some(Asked::Continue(direction)) => self.resume(context, direction),
                Some(Asked::Reset) => self.finish(context, End::Reset),
                Some(Asked::LocalReply(reply)) => self.reply(context, reply),
                None => self.finish(context, End::Answered),
            }
        }
    }

    /// The filter resumes a direction: what is held behind it goes on; what is held in front of it comes.
    fn resume(&mut self, context: ContextId, direction: Direction) {
        let side = self.stream(context).side(direction);
        if side.flow == Flow::Running {
            return;
        }
        let full = side.flow == Flow::Full;
        side.pass();
        if full {
            // The sender is read from again, part by part.
            for event in std::mem::take(&mut side.held) {
                self.deliver(context, direction, event);
            }
            return;
        }
        // The gateway has collected what came into one buffer meanwhile.
        let mut bytes = Vec::new();
        let mut data = false;
        let mut ended = false;
        let mut trailers = false;
        for event in side.held.drain(..) {
            match event {
                Event::Data { bytes: more, end } => {
                    data = true;
                    ended |= end;
                    bytes.extend(more);
                }
                Event::Trailers => trailers = true,
                Event::Headers { .. } => {}
            }
        }
        if data {
            self.deliver(context, direction, Event::Data { bytes, end: ended });
        }
        if trailers {
            self.deliver(context, direction, Event::Trailers);
        }
    }

    /// Answers in place of the upstream: through the filter's own response callbacks while nothing has come from
    /// upstream, past them while the response headers are held back, and not at all once they have gone.
    fn reply(&mut self, context: ContextId, mut reply: LocalReply) {
        let stream = self.stream(context);
        if stream.end.is_some() {
            return;
        }
        if stream.request.headers.headers.bytes(":method") == Some(b"HEAD") {
            reply.body.clear();
        }
        if stream.response.headers_passed() {
            return self.finish(context, End::Reset);
        }
        if stream.response.begun {
            return stream.response.replace(reply);
        }
        let end = reply.body.is_empty();
        self.headers(context, Direction::Response, reply.headers, end);
        if !end {
            self.data(context, Direction::Response, reply.body, true);
        }
    }

    /// The last callbacks of an exchange.
    pub fn finish(&mut self, context: ContextId, end: End) {
        let stream = self.stream(context);
        if stream.end.replace(end).is_some() {
            return;
        }
        stream.logging = true;
        stream.asked.clear();
        let done = self.run("proxy_on_done", |scope| scope.on_done(context));
        assert!(
            done,
            "on_done answered false: the gateway would keep the context until proxy_done"
        );
        self.run("proxy_on_log", |scope| scope.on_log(context));
        let left_open = self.waits_for_call(context);
        assert!(
            !left_open,
            "the exchange ended and its gRPC call was not cancelled: nobody else does it"
        );
        self.run("proxy_on_delete", |scope| scope.on_delete(context));
    }

    /// Runs callbacks. What the guest must never do ends the test here.
    pub fn run<R>(
        &mut self,
        callback: &str,
        callbacks: impl FnOnce(&mut CallScope<'_, Streams>) -> Result<R, GuestError>,
    ) -> R {
        let streams = self.streams.take().expect("no callback runs within another");
        let (result, streams) = self.guest.with(streams, callbacks);
        self.streams = Some(streams);
        self.set_timer();
        let result = result.unwrap_or_else(|error| {
            let message = self.ledger.panic_message().unwrap_or_else(|| error.to_string());
            panic!(
                "the module trapped in {callback}: {message}\nlog: {:#?}",
                self.ledger.log()
            )
        });
        let streams = self.streams_mut();
        for context in std::mem::take(&mut streams.written) {
            if let Some(Stream { request, response, .. }) = streams.open.get(&context) {
                request.check_growth(streams.profile.buffer_limit, &streams.ledger);
                response.check_growth(streams.profile.buffer_limit, &streams.ledger);
            }
        }
        let faults = self.ledger.take_faults();
        assert!(faults.is_empty(), "in {callback}: {}", faults.join("; "));
        result
    }

    /// Starts the timer anew when the guest has changed its period.
    fn set_timer(&mut self) {
        let period = self.guest.tick_period(self.root);
        if self.timer.map(|(period, _)| period) != period {
            self.timer = period.map(|period| (period, self.time.now() + period));
        }
    }

    pub fn streams_mut(&mut self) -> &mut Streams {
        self.streams.as_mut().expect("no callback runs within another")
    }
}
