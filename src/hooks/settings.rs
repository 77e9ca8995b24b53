//! Which hooks there are, for which paths, and where each is called.

use std::rc::Rc;
use std::time::Duration;

use crate::text::percent::decode_lenient;

/// The kinds of hooks, in the order in which a request meets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Before anything else.
    Pre,
    /// Checks the key, and says who the client is.
    CustomKeyCheck,
    /// After that, with the session.
    PostKeyAuth,
    /// Once the method is known, before the request goes to the service.
    Post,
    /// Before the response goes to the client.
    Response,
}

impl Kind {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [
        Self::Pre,
        Self::CustomKeyCheck,
        Self::PostKeyAuth,
        Self::Post,
        Self::Response,
    ];

    /// The number of `HookType` on the wire.
    pub fn number(self) -> u64 {
        match self {
            Self::Pre => 1,
            Self::Post => 2,
            Self::PostKeyAuth => 3,
            Self::CustomKeyCheck => 4,
            Self::Response => 5,
        }
    }

    /// The configuration's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::CustomKeyCheck => "auth",
            Self::PostKeyAuth => "post_key_auth",
            Self::Post => "post",
            Self::Response => "response",
        }
    }
}

/// What becomes of the exchange when a hook's call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The client is refused.
    Deny,
    /// It goes on as if the hook weren't there.
    Allow,
}

/// One hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// When it is called.
    pub kind: Kind,
    /// Which function of the server it is.
    pub name: Rc<str>,
    /// The gateway's name of the server.
    pub cluster: String,
    /// How long it has, from 1 ms to 2^31 - 1 ms.
    pub timeout: Duration,
    /// What becomes of the exchange when the call fails.
    pub on_error: OnError,
    /// Whether a body that is text is sent only as bytes, and not as text too.
    pub raw_body_only: bool,
    /// The paths that it is for; `None`: those of all hooks.
    pub paths: Option<PathPrefix>,
}

/// All hooks of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hooks(Rc<Settings>);

/// What a configuration says of hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The value of `:authority`; `None` for the gateway's own choice.
    pub authority: Option<String>,
    /// The paths that any hook is for.
    pub paths: PathPrefix,
    /// `OrgID` of the spec.
    pub org_id: String,
    /// `APIID` of the spec, which access rights are looked up by.
    pub api_id: String,
    /// `config_data` of the spec: JSON, with the keys in order; `None` leaves it out.
    pub config_data: Option<String>,
    /// Whether the spec says what the gateway knows of client and route.
    pub attributes: bool,
    /// In the order of their calls: by kind, then as configured. At most one checks keys.
    pub hooks: Vec<Hook>,
}

impl Hooks {
    /// These hooks, which are brought into the order of their kinds. `None` where there are none.
    pub fn new(mut settings: Settings) -> Option<Self> {
        let given = std::mem::take(&mut settings.hooks);
        for kind in Kind::ALL {
            settings
                .hooks
                .extend(given.iter().filter(|hook| hook.kind == kind).cloned());
        }
        (!settings.hooks.is_empty()).then(|| Self(Rc::new(settings)))
    }

    /// The hooks of an HTTP request with this path, without its query. `None`: they aren't for it.
    pub fn for_path(&self, path: &[u8]) -> Option<Chain> {
        let covered = self.0.paths.covers(path);
        covered.then(|| Chain::new(&self.0, Client::Http))
    }

    /// The hooks of a gRPC client's call, and of a request that goes on unread. Path prefixes don't count: by gRPC, a
    /// method has another path than the one that a prefix guards.
    pub fn for_native(&self) -> Chain {
        Chain::new(&self.0, Client::Native)
    }
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// An HTTP client: hooks see all of its request.
    Http,
    /// A gRPC client, or a request that goes on unread: hooks see only the headers, and can change nothing else.
    Native,
}

/// The hooks of one request.
#[derive(Clone, Debug)]
pub struct Chain {
    settings: Rc<Settings>,
    client: Client,
}

impl Chain {
    fn new(settings: &Rc<Settings>, client: Client) -> Self {
        Self {
            settings: Rc::clone(settings),
            client,
        }
    }

    /// What the configuration says.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who sent the request.
    pub fn client(&self) -> Client {
        self.client
    }

    /// The hook at this position.
    pub fn hook(&self, at: usize) -> Option<&Hook> {
        self.settings.hooks.get(at)
    }

    /// Whether a hook is for a request with this path, without its query. A gRPC client's is never left out.
    pub fn includes(&self, hook: &Hook, path: &[u8]) -> bool {
        match self.client {
            Client::Native => hook.kind < Kind::Post,
            Client::Http => hook.paths.as_ref().is_none_or(|paths| paths.covers(path)),
        }
    }

    /// Whether a hook is asked once the method is known.
    pub fn awaits_method(&self) -> bool {
        self.settings.hooks.iter().any(|hook| hook.kind >= Kind::Post)
    }

    /// Whether a hook may want to see the response, for which the request must be kept.
    pub fn awaits_response(&self) -> bool {
        self.client == Client::Http && self.settings.hooks.iter().any(|hook| hook.kind == Kind::Response)
    }
}

/// The paths that begin so.
///
/// Prefix and path are compared decoded, `%2F` too. So each spelling of a path that leads to a method below the prefix
/// is covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPrefix(Vec<u8>);

impl PathPrefix {
    /// `None` where `prefix` doesn't begin with a slash.
    pub fn new(prefix: &str) -> Option<Self> {
        prefix.starts_with('/').then(|| Self(decode_lenient(prefix.as_bytes())))
    }

    /// Whether a path, without its query, begins so.
    pub fn covers(&self, path: &[u8]) -> bool {
        self.0 == b"/" || decode_lenient(path).starts_with(&self.0)
    }
}
