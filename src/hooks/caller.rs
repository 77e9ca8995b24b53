//! What the gateway knows of the client and the route beside the request. It goes into `spec`, except whether TLS ended
//! here.

/// The names in `spec`, and the gateway's attribute for each.
const ATTRIBUTES: [(&str, &str); 6] = [
    ("client_ip", "source\0address"),
    ("route", "xds\0route_name"),
    ("cert_subject", "connection\0subject_peer_certificate"),
    ("cert_sha256", "connection\0sha256_peer_certificate_digest"),
    ("cert_uri_san", "connection\0uri_san_peer_certificate"),
    ("cert_dns_san", "connection\0dns_san_peer_certificate"),
];

/// What the gateway knows of client and route.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Whether the client's TLS ended at this gateway.
    pub tls: bool,
    spec: Vec<(&'static str, Vec<u8>)>,
}

impl Caller {
    /// Asks the gateway. `attribute`: the bytes of the attribute at this path, whose segments are separated by zero
    /// bytes; `None`: it isn't there.
    pub fn ask(mut attribute: impl FnMut(&str) -> Option<Vec<u8>>) -> Self {
        let mut known = |path: &str| attribute(path).filter(|value| !value.is_empty());
        let tls = known("connection\0tls_version").is_some();
        // Without TLS there is no certificate to ask for.
        let asked = ATTRIBUTES.iter().filter(|(name, _)| tls || !name.starts_with("cert_"));
        let spec = asked.filter_map(|(name, path)| {
            let value = known(path)?;
            Some(match *name {
                "client_ip" => (*name, without_port(&value).to_vec()),
                name => (name, value),
            })
        });
        Self {
            tls,
            spec: spec.collect(),
        }
    }

    /// The method has been found that the request calls: its full name, `package.Service/Method`.
    pub fn calls(&mut self, method: &str) {
        self.spec.retain(|(name, _)| *name != METHOD);
        self.spec.push((METHOD, method.as_bytes().to_vec()));
    }

    /// Names and values for `spec`.
    pub fn spec(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.spec.iter().map(|(name, value)| (*name, value.as_slice()))
    }
}

const METHOD: &str = "grpc_method";

/// The address of `address:port`, of which an IPv6 address has brackets around it.
fn without_port(address: &[u8]) -> &[u8] {
    match address.strip_prefix(b"[") {
        Some(rest) => rest.split(|byte| *byte == b']').next().unwrap_or(rest),
        None => match memchr::memrchr(b':', address) {
            Some(at) => address.get(..at).unwrap_or(address),
            None => address,
        },
    }
}
