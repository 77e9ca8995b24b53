//! The page that shows a document and tries it: Swagger UI, whose files come from elsewhere.
//!
//! Its policy (Content Security Policy Level 3) admits those files, one script of the module's own, and requests to the
//! gateway. Nothing in the page is a script.

use super::resource::Resource;
use super::source::Options;

/// Where Swagger UI is, of the version whose files have the hashes below.
const ASSETS: &str = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5.35.0";

const STYLE: &str = "swagger-ui.css";
const STYLE_HASH: &str = "sha384-WlYgdmXYOOBWL5apwjDEZwN+U3HmXSSu5R6V5aGxEcf7z+KuRNwBhoxKVN1i3D5I";
const SCRIPT: &str = "swagger-ui-bundle.js";
const SCRIPT_HASH: &str = "sha384-gjRm0bEPMeTmMh5jT2cHccIwCUZSTd8YC+j0d0sXw0MdGEfScduGpSyF3ZSSLkX9";

/// Starts Swagger UI. The document's place is in the page, relative to it: a gateway in front may put both below a path.
const START: &str = r#"addEventListener("load", () => {
  const element = document.getElementById("document");
  const url = new URL(element.dataset.document, location).href;
  SwaggerUIBundle({ url, domNode: element, deepLinking: true, displayRequestDuration: true, validatorUrl: null });
});
"#;

/// Adds the page at `path`, and the script that it starts with, which is below it.
pub(super) fn add(path: &str, title: &str, options: &Options, resources: &mut Vec<(Box<str>, Resource)>) {
    let script = format!("{}/init.js", path.trim_end_matches('/'));
    let assets = options.assets.as_deref().unwrap_or(ASSETS).trim_end_matches('/');
    // What an operator serves may be of another version.
    let integrity = |hash: &str| match options.assets {
        None => format!(" integrity=\"{hash}\" crossorigin=\"anonymous\""),
        Some(_) => String::new(),
    };
    let html = format!(
        "<!doctype html>\n\
         <html lang=\"en\">\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"{assets}/{STYLE}\"{}>\n\
         <div id=\"document\" data-document=\"{}\"></div>\n\
         <script src=\"{assets}/{SCRIPT}\"{}></script>\n\
         <script src=\"{}\"></script>\n\
         </html>\n",
        escaped(title),
        integrity(STYLE_HASH),
        escaped(&relative(path, &options.path)),
        integrity(SCRIPT_HASH),
        escaped(&relative(path, &script)),
        assets = escaped(assets),
    );
    // Swagger UI sets the styles of elements by script, which is no inline style to a policy.
    let policy = format!(
        "default-src 'none'; script-src 'self'{}; style-src 'self'{}; img-src data: 'self'; connect-src \
         'self'{}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
        foreign(assets, SCRIPT),
        foreign(assets, STYLE),
        origins(&options.servers),
    );
    let mut resource = Resource::new(b"text/html; charset=utf-8", vec![html.into_bytes().into()]);
    resource.policy = Some(policy.into_bytes().into());
    resources.push((path.into(), resource));
    let start = Resource::new(b"text/javascript; charset=utf-8", vec![START.as_bytes().into()]);
    resources.push((script.into(), start));
}

/// A file of the assets as a source of a policy, a space before it, unless the gateway's own origin has it.
fn foreign(assets: &str, file: &str) -> String {
    match assets.contains("://") {
        true => format!(" {assets}/{file}"),
        false => String::new(),
    }
}

/// The origins of servers other than the gateway itself, a space before each.
fn origins(servers: &[String]) -> String {
    let mut origins = String::new();
    for server in servers {
        if let Some((scheme, rest)) = server.split_once("://")
            && let Some(host) = rest.split(['/', '?', '#']).next()
        {
            origins.push_str(&format!(" {scheme}://{host}"));
        }
    }
    origins
}

/// The path `to` as a reference from a page at the path `from` (RFC 3986, section 4.2).
fn relative(from: &str, to: &str) -> String {
    let folder = |path: &str| path.rfind('/').map_or(0, |slash| slash + 1);
    let (from, at) = (from.get(..folder(from)).unwrap_or_default(), folder(to));
    let (to, name) = to.split_at_checked(at).unwrap_or((to, ""));
    let (from, to): (Vec<_>, Vec<_>) = (from.split_inclusive('/').collect(), to.split_inclusive('/').collect());
    let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = "../".repeat(from.len() - shared);
    let down: String = to.into_iter().skip(shared).collect();
    match up.is_empty() && down.is_empty() {
        true => format!("./{name}"),
        false => format!("{up}{down}{name}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_from_that_of_the_page() {
        for (from, to, expected) in [
            ("/docs", "/openapi.json", "./openapi.json"),
            ("/docs", "/docs/init.js", "docs/init.js"),
            ("/docs/", "/docs/init.js", "./init.js"),
            ("/a/docs", "/openapi.json", "../openapi.json"),
            ("/a/docs", "/b/openapi.json", "../b/openapi.json"),
            ("/a/b/docs", "/a/openapi.json", "../openapi.json"),
        ] {
            assert_eq!(relative(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn what_is_written_into_the_page_stays_text_and_the_policy_names_what_it_loads() {
        let options = Options {
            path: "/openapi.json".to_owned(),
            servers: vec!["https://api.example.com/v1".to_owned()],
            ..Options::default()
        };
        let mut resources = Vec::new();
        add("/docs", "<b> & \"c\"", &options, &mut resources);
        let [(page, html), (script, _)] = resources.as_slice() else {
            panic!("{resources:?}");
        };
        assert_eq!((&**page, &**script), ("/docs", "/docs/init.js"));
        let text = String::from_utf8(html.body.concat()).unwrap();
        assert!(text.contains("<title>&lt;b&gt; &amp; &quot;c&quot;</title>"), "{text}");
        assert!(
            text.contains(&format!("src=\"{ASSETS}/{SCRIPT}\" integrity=\"{SCRIPT_HASH}\"")),
            "{text}"
        );
        let policy = String::from_utf8(html.policy.clone().unwrap().to_vec()).unwrap();
        assert!(
            policy.contains(&format!("script-src 'self' {ASSETS}/{SCRIPT};")),
            "{policy}"
        );
        assert!(
            policy.contains("connect-src 'self' https://api.example.com;"),
            "{policy}"
        );
    }
}
