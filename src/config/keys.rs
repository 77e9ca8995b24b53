//! Every key of the plugin configuration, in one table: the parser, the defaults and the reference are read from it.

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The path, with `[]` for the elements of a list: `http_rules[].get`.
    pub path: &'static str,
    /// What its value can be.
    pub kind: Kind,
    /// The value it has when it isn't given, as JSON; none where there is no such value.
    pub default: Option<&'static str>,
    /// What it does.
    pub about: &'static str,
}

/// What a value can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string that isn't empty.
    Text,
    /// A string, empty or not.
    TextOrEmpty,
    /// `true` or `false`.
    Flag,
    /// `true`, `false`, or `"auto"`.
    FlagOrAuto,
    /// A whole number of bytes, from 1 to [`MAX_SIZE`].
    Size,
    /// A whole number from 200 to 299.
    SuccessStatus,
    /// protobuf's JSON form of a duration: seconds, at most nine decimals, and an `s`.
    Duration,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A whole number from 0 to [`MAX_SIZE`].
    Count,
    /// Any JSON but null.
    Json,
    /// A list of strings that aren't empty.
    Texts,
    /// An object whose values are strings.
    TextMap,
    /// An object with keys of its own in the table.
    Object,
    /// A list of objects with keys of their own in the table.
    Objects,
    /// An object with any keys.
    AnyObject,
    /// An object with the keys of `hooks.pre[]`.
    Hook,
    /// A list of such objects.
    Hooks,
}

/// The largest limit: a quarter of what a module can address.
pub const MAX_SIZE: u64 = 1 << 30;

/// The path under which the table has the keys of every [`Kind::Hook`].
pub const HOOK: &str = "hooks.pre[]";

/// All keys, a parent before what is below it.
pub const KEYS: &[Key] = &[
    key("proto", Kind::Text, None, "The text of one .proto file."),
    key(
        "protos",
        Kind::TextMap,
        None,
        "The texts of several .proto files, by import path.",
    ),
    key(
        "descriptor_set",
        Kind::Text,
        None,
        "A serialized google.protobuf.FileDescriptorSet, gzipped or not, in base64: either alphabet, white space allowed.",
    ),
    key(
        "services",
        Kind::Texts,
        None,
        "Full names of the services to serve; unset, every service of the given files but for packages google and google.*.",
    ),
    key(
        "http_rules",
        Kind::Objects,
        Some("[]"),
        "google.api.HttpRule objects, or a google.api.Service that has some, which replace the annotations of the methods \
         they select, or without a path take them away.",
    ),
    key(
        "http_rules[].selector",
        Kind::Text,
        None,
        "The full name of a method, or a prefix that ends in .* for all below it.",
    ),
    key("http_rules[].get", Kind::Text, None, "The path template of a GET."),
    key("http_rules[].put", Kind::Text, None, "The path template of a PUT."),
    key("http_rules[].post", Kind::Text, None, "The path template of a POST."),
    key(
        "http_rules[].delete",
        Kind::Text,
        None,
        "The path template of a DELETE.",
    ),
    key("http_rules[].patch", Kind::Text, None, "The path template of a PATCH."),
    key("http_rules[].custom", Kind::Object, None, "Any other HTTP method."),
    key(
        "http_rules[].custom.kind",
        Kind::Text,
        None,
        "The HTTP method, or * for all.",
    ),
    key("http_rules[].custom.path", Kind::Text, None, "The path template."),
    key(
        "http_rules[].body",
        Kind::TextOrEmpty,
        Some("\"\""),
        "The request field that the body fills, * for the whole request, empty for none.",
    ),
    key(
        "http_rules[].response_body",
        Kind::TextOrEmpty,
        Some("\"\""),
        "The response field to print alone, empty for the whole response.",
    ),
    key(
        "http_rules[].additional_bindings",
        Kind::Objects,
        Some("[]"),
        "Further rules for the same method, without selector and additional_bindings.",
    ),
    key(
        "base_path",
        Kind::TextOrEmpty,
        Some("\"\""),
        "A path in front of every template and of auto-mapped paths, such as /api; not of native gRPC.",
    ),
    key(
        "auto_mapping",
        Kind::FlagOrAuto,
        Some("\"auto\""),
        "Whether POST /pkg.Service/Method reaches every method; auto: those of services without any HTTP rule.",
    ),
    key(
        "dispatch",
        Kind::Choice(&["in_place", "call"]),
        Some("\"in_place\""),
        "How a request travels: by the gateway's own router (in_place), or by its gRPC call API (call), past the filters and \
         the route behind protobridge.",
    ),
    key(
        "bodyless",
        Kind::Choice(&["in_place", "call"]),
        Some("\"in_place\""),
        "How a request without a body travels: in_place, on Envoy with a filter in front that gives it one, or call, as \
         dispatch has it for all.",
    ),
    key(
        "native_grpc",
        Kind::Choice(&["pass_through", "served", "reject"]),
        Some("\"pass_through\""),
        "Which requests of gRPC and gRPC-Web clients go on: all, those for methods that are served to JSON too, or none.",
    ),
    key("upstream", Kind::Object, Some("{}"), "Where calls go."),
    key(
        "upstream.cluster",
        Kind::Text,
        None,
        "The cluster of calls; unset, the cluster of the route.",
    ),
    key(
        "upstream.authority",
        Kind::Text,
        None,
        "The :authority of calls; unset, the host's own choice.",
    ),
    key(
        "upstream.timeout",
        Kind::Duration,
        None,
        "The longest that an answer may take; caps the client's grpc-timeout. Unset, the timeout of the gateway's own \
         route holds, and 15s for calls.",
    ),
    key(
        "upstream.grpc_web",
        Kind::Flag,
        Some("false"),
        "Whether Envoy's grpc_web filter is right behind this one.",
    ),
    key(
        "upstream.connect_bridge",
        Kind::Flag,
        Some("false"),
        "Whether Envoy's connect_grpc_bridge filter is right behind this one: unary requests without a body go by it.",
    ),
    key(
        "upstream.bridge_bodies",
        Kind::Flag,
        Some("false"),
        "With upstream.connect_bridge, whether unary requests with a body go by it too.",
    ),
    key(
        "hold_headers",
        Kind::FlagOrAuto,
        Some("\"auto\""),
        "Whether Envoy holds headers until the body is there, as by allow_on_headers_stop_iteration; auto: each request \
         waits up to 20 ms to see, until one has shown it.",
    ),
    key(
        "success_status",
        Kind::Objects,
        Some("[]"),
        "The HTTP status of successes, for services that choose none by x-http-code.",
    ),
    key(
        "success_status[].selector",
        Kind::Text,
        None,
        "The full name of a method, or a prefix that ends in .* for all below it; the last rule that selects a method holds.",
    ),
    key(
        "success_status[].status",
        Kind::SuccessStatus,
        None,
        "The status, from 200 to 299; 204 and 205 have no body.",
    ),
    key(
        "transforms",
        Kind::Objects,
        Some("[]"),
        "What is changed in messages: of the methods that a selector selects, of JSON and native clients alike.",
    ),
    key(
        "transforms[].selector",
        Kind::Text,
        None,
        "The full name of a method, or a prefix that ends in .* for all below it; unset, every served method.",
    ),
    key(
        "transforms[].when",
        Kind::Object,
        None,
        "Of which requests, by a header.",
    ),
    key("transforms[].when.header", Kind::Text, None, "The name of the header."),
    key(
        "transforms[].when.is",
        Kind::Texts,
        None,
        "Where one of its values is one of these.",
    ),
    key(
        "transforms[].when.not",
        Kind::Texts,
        None,
        "Where one of its values is none of these, or it is not there.",
    ),
    key(
        "transforms[].when.present",
        Kind::Flag,
        None,
        "Where it is there, or is not.",
    ),
    key(
        "transforms[].request",
        Kind::Objects,
        Some("[]"),
        "Operations on each request message, in this order; each has exactly one key.",
    ),
    key(
        "transforms[].request[].set",
        Kind::Object,
        None,
        "Gives a singular field one value.",
    ),
    key(
        "transforms[].request[].set.field",
        Kind::Text,
        None,
        "The path of the field.",
    ),
    key(
        "transforms[].request[].set.value",
        Kind::Json,
        None,
        "The value, as JSON of the field's type.",
    ),
    key(
        "transforms[].request[].set.header",
        Kind::Text,
        None,
        "The request header whose value it is; where that is not there, the field is removed.",
    ),
    key(
        "transforms[].request[].set.property",
        Kind::Texts,
        None,
        "The path of the host's property whose value it is; where that is not there, the field is removed.",
    ),
    key(
        "transforms[].request[].set.required",
        Kind::Flag,
        Some("false"),
        "Whether a request without the header or property is refused, with 401.",
    ),
    key(
        "transforms[].request[].default",
        Kind::Object,
        None,
        "Gives a singular field a value where it is absent.",
    ),
    key(
        "transforms[].request[].default.field",
        Kind::Text,
        None,
        "The path of the field.",
    ),
    key(
        "transforms[].request[].default.value",
        Kind::Json,
        None,
        "The value, as JSON of the field's type.",
    ),
    key(
        "transforms[].request[].remove",
        Kind::Texts,
        None,
        "The paths of fields to remove.",
    ),
    key(
        "transforms[].request[].keep",
        Kind::Texts,
        None,
        "The paths of fields to keep; all others are removed.",
    ),
    key(
        "transforms[].request[].mask",
        Kind::Object,
        None,
        "Makes a string or bytes ***; a field of another type is removed.",
    ),
    key(
        "transforms[].request[].mask.field",
        Kind::Text,
        None,
        "The path of the field.",
    ),
    key(
        "transforms[].request[].mask.keep_last",
        Kind::Count,
        Some("0"),
        "How many characters or bytes at its end stay, where there are more.",
    ),
    key(
        "transforms[].request[].remove_annotated",
        Kind::Text,
        None,
        "Removes all fields with this bool option, at any depth: the full name of an extension of google.protobuf.FieldOptions, or debug_redact.",
    ),
    key(
        "transforms[].response",
        Kind::Objects,
        Some("[]"),
        "Operations on each response message, as for request.",
    ),
    key(
        "unmatched",
        Kind::Choice(&["reject", "pass_through"]),
        Some("\"reject\""),
        "What becomes of a request that no method is bound to.",
    ),
    key("json", Kind::Object, Some("{}"), "How JSON is read and written."),
    key(
        "json.always_print_fields_with_no_presence",
        Kind::Flag,
        Some("false"),
        "Print fields without presence, lists and maps also where they have their default value.",
    ),
    key(
        "json.always_print_enums_as_ints",
        Kind::Flag,
        Some("false"),
        "Print enum numbers instead of names.",
    ),
    key(
        "json.preserve_proto_field_names",
        Kind::Flag,
        Some("false"),
        "Print the names of the .proto instead of lowerCamelCase.",
    ),
    key(
        "json.unquote_int64_if_possible",
        Kind::Flag,
        Some("false"),
        "Print 64-bit integers without quotes where a double holds them exactly.",
    ),
    key(
        "json.add_whitespace",
        Kind::Flag,
        Some("false"),
        "Print line breaks and indentation.",
    ),
    key(
        "json.unknown_fields",
        Kind::Choice(&["ignore", "reject"]),
        Some("\"ignore\""),
        "What becomes of a key that the message has no field for.",
    ),
    key(
        "json.unknown_enum_names",
        Kind::Choice(&["reject", "ignore"]),
        Some("\"reject\""),
        "What becomes of an enum name that the enum does not have.",
    ),
    key(
        "json.case_insensitive_enums",
        Kind::Flag,
        Some("false"),
        "Whether enum names match whatever their case.",
    ),
    key(
        "json.strip_enum_prefix",
        Kind::Flag,
        Some("false"),
        "Whether enum values go by their names without the enum's in front; both are read.",
    ),
    key("query", Kind::Object, Some("{}"), "How query parameters are bound."),
    key(
        "query.unknown",
        Kind::Choice(&["ignore", "reject"]),
        Some("\"ignore\""),
        "What becomes of a query parameter that binds to nothing.",
    ),
    key(
        "query.ignored",
        Kind::Texts,
        Some("[]"),
        "Query parameters that are never bound and never unknown.",
    ),
    key(
        "update_mask_from_body",
        Kind::Flag,
        Some("true"),
        "Whether an unset update_mask of a PATCH names the fields of the body.",
    ),
    key("errors", Kind::Object, Some("{}"), "How errors are written."),
    key(
        "errors.format",
        Kind::Choice(&["status", "google", "problem"]),
        Some("\"status\""),
        "google.rpc.Status as it is, in AIP-193's \"error\" object, or as a problem of RFC 9457.",
    ),
    key("streaming", Kind::Object, Some("{}"), "How streams are written."),
    key(
        "streaming.default",
        Kind::Choice(&["array", "ndjson", "sse"]),
        Some("\"array\""),
        "The format of a stream whose client accepts any.",
    ),
    key(
        "streaming.timeout",
        Kind::Duration,
        None,
        "The longest that a whole stream may take; caps the client's grpc-timeout. Unset, the timeout of the gateway's \
         own route holds, and 15s for calls.",
    ),
    key(
        "hooks",
        Kind::Object,
        None,
        "Servers of Tyk's rich plugins that are asked about each request and response.",
    ),
    key(
        "hooks.cluster",
        Kind::Text,
        None,
        "The cluster of hooks that have none of their own.",
    ),
    key(
        "hooks.authority",
        Kind::Text,
        None,
        "The :authority of the calls; unset, the host's own choice.",
    ),
    key(
        "hooks.timeout",
        Kind::Duration,
        Some("\"2s\""),
        "How long hooks have that have no timeout of their own.",
    ),
    key(
        "hooks.path_prefix",
        Kind::Text,
        Some("\"/\""),
        "The listen path: only requests whose paths begin so meet hooks, and all calls of gRPC clients.",
    ),
    key("hooks.org_id", Kind::TextOrEmpty, Some("\"\""), "OrgID in the spec."),
    key(
        "hooks.api_id",
        Kind::TextOrEmpty,
        Some("\"\""),
        "APIID in the spec, which a session's access rights must have.",
    ),
    key(
        "hooks.config_data",
        Kind::AnyObject,
        Some("{}"),
        "config_data in the spec; empty, it isn't there.",
    ),
    key(
        "hooks.attributes",
        Kind::Flag,
        Some("true"),
        "The spec also says who the client is, and which route it takes.",
    ),
    key("hooks.pre", Kind::Hooks, Some("[]"), "Before anything else."),
    key(
        "hooks.auth",
        Kind::Hook,
        None,
        "CustomKeyCheck, which says who the client is; unset, nobody is asked for a key.",
    ),
    key(
        "hooks.post_key_auth",
        Kind::Hooks,
        Some("[]"),
        "Behind auth, before the checks of the session.",
    ),
    key(
        "hooks.post",
        Kind::Hooks,
        Some("[]"),
        "When the method is known, before the request goes to the service.",
    ),
    key(
        "hooks.response",
        Kind::Hooks,
        Some("[]"),
        "Before the response goes to the client.",
    ),
    key(
        "hooks.pre[].name",
        Kind::Text,
        None,
        "The function of the server; needed but for auth.",
    ),
    key(
        "hooks.pre[].cluster",
        Kind::Text,
        None,
        "The server's cluster; unset, hooks.cluster.",
    ),
    key(
        "hooks.pre[].timeout",
        Kind::Duration,
        None,
        "How long the call may take; unset, hooks.timeout.",
    ),
    key(
        "hooks.pre[].on_error",
        Kind::Choice(&["deny", "allow"]),
        Some("\"deny\""),
        "What becomes of the exchange when the call fails: an error, or it goes on without the hook.",
    ),
    key(
        "hooks.pre[].raw_body_only",
        Kind::Flag,
        Some("false"),
        "Whether bodies travel as bytes alone, and not as text too.",
    ),
    key(
        "hooks.pre[].path_prefix",
        Kind::Text,
        None,
        "The paths that the hook is for; unset, those of hooks.path_prefix.",
    ),
    key(
        "hooks.pre[].disabled",
        Kind::Flag,
        Some("false"),
        "Whether the hook is left out.",
    ),
    key(
        "openapi",
        Kind::Object,
        Some("{}"),
        "An OpenAPI document of what is served, made by the gateway.",
    ),
    key("openapi.path", Kind::Text, None, "Its path; unset, there is none."),
    key(
        "openapi.page",
        Kind::Text,
        None,
        "The path of a page that shows it and tries it.",
    ),
    key(
        "openapi.title",
        Kind::Text,
        None,
        "Its title; unset, the names of the services.",
    ),
    key(
        "openapi.version",
        Kind::Text,
        None,
        "Its version; unset, that of the package, as in shop.v1.",
    ),
    key(
        "openapi.description",
        Kind::Text,
        None,
        "What it says of all, as Markdown.",
    ),
    key(
        "openapi.servers",
        Kind::Texts,
        Some("[]"),
        "The URLs at which clients find the gateway; empty, where the document is.",
    ),
    key(
        "openapi.security",
        Kind::Json,
        None,
        "OpenAPI's security schemes, an object by name; any one of them is enough.",
    ),
    key(
        "openapi.assets",
        Kind::Text,
        None,
        "The URL of a folder with the files of Swagger UI for the page; unset, a pinned version at jsDelivr.",
    ),
    key(
        "openapi.include",
        Kind::Texts,
        Some("[]"),
        "Labels of google.api.visibility whose elements are shown; without them restricted elements aren't.",
    ),
    key(
        "openapi.exclude",
        Kind::Texts,
        Some("[]"),
        "Methods that aren't shown, by their full names or beginnings of these that end in .*.",
    ),
    key(
        "metrics",
        Kind::Flag,
        None,
        "Whether requests are counted through the gateway's metrics; unset, in Envoy yes and in Kong no.",
    ),
    key(
        "access_log",
        Kind::Flag,
        Some("false"),
        "Whether the gateway's access log can print the gRPC method and status.",
    ),
    key(
        "log_level",
        Kind::Choice(&["error", "warn", "info", "debug"]),
        Some("\"info\""),
        "The least that is logged; debug has a line for each request.",
    ),
    key("limits", Kind::Object, Some("{}"), "Bounds, in bytes."),
    key(
        "limits.max_proto_bytes",
        Kind::Size,
        Some("1048576"),
        "The .proto texts together.",
    ),
    key(
        "limits.max_schema_bytes",
        Kind::Size,
        Some("16777216"),
        "A descriptor set, out of base64 and gzip.",
    ),
    key(
        "limits.max_request_bytes",
        Kind::Size,
        Some("33554432"),
        "The body of a request: over it, 413.",
    ),
    key(
        "limits.max_response_bytes",
        Kind::Size,
        Some("33554432"),
        "What is held of a response that cannot be streamed: over it, 502.",
    ),
    key(
        "limits.max_message_bytes",
        Kind::Size,
        Some("16777216"),
        "One gRPC message: over it, 413 for a request and 502 for a response.",
    ),
    key(
        "limits.max_total_bytes",
        Kind::Size,
        Some("536870912"),
        "What all requests of a worker hold together: over it, 503 for the one that wants more.",
    ),
];

const fn key(path: &'static str, kind: Kind, default: Option<&'static str>, about: &'static str) -> Key {
    Key {
        path,
        kind,
        default,
        about,
    }
}
