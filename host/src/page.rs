//! The page, as the admin API's listener serves it: files that are part of this program, to anybody. What they show takes a
//! token, which the page asks for. Knows nothing of what is in them.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::collections::HashMap;
use std::sync::Arc;
use tidegate_envelope::Digest;

/// The files of `host/page`, by their paths there.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));
/// The file that is the page itself.
const INDEX: &str = "index.html";

/// What runs and what is shown comes from here and nothing else; no frame, no form, no markup made of text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What every answer of the page says.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // Asked for each time, and sent when it has changed: the modules are always those of one version.
    (header::CACHE_CONTROL, "no-cache"),
];

/// One file.
struct File {
    kind: &'static str,
    bytes: &'static [u8],
    /// Its digest.
    tag: HeaderValue,
}

/// The page's routes: `/`, and its files under `/page/`.
pub fn router() -> Router {
    let files: HashMap<&str, File> =
        FILES.iter().map(|(path, bytes)| (*path, File::new(path, bytes))).collect();
    let files = Arc::new(files);
    let index = Arc::clone(&files);
    let answer = |files: &HashMap<&str, File>, path: &str, asked: &HeaderMap| match files.get(path) {
        Some(file) => file.answer(asked),
        None => (StatusCode::NOT_FOUND, HEADERS, "the page has no such file").into_response(),
    };
    Router::new().route("/", get(move |asked: HeaderMap| async move { answer(&index, INDEX, &asked) })).route(
        "/page/{*path}",
        get(move |Path(path): Path<String>, asked: HeaderMap| async move { answer(&files, &path, &asked) }),
    )
}

impl File {
    fn new(path: &str, bytes: &'static [u8]) -> Self {
        let tag =
            HeaderValue::from_str(&format!("\"{}\"", Digest::of(bytes))).expect("a digest is hexadecimal");
        Self { kind: kind(path), bytes, tag }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let tag = (header::ETAG, self.tag.clone());
        if asked.get(header::IF_NONE_MATCH) == Some(&self.tag) {
            return (StatusCode::NOT_MODIFIED, HEADERS, [tag]).into_response();
        }
        (HEADERS, [tag], [(header::CONTENT_TYPE, self.kind)], self.bytes).into_response()
    }
}

/// The content type, by the name's end.
fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_type_and_the_page_names_only_what_is_there() {
        let paths: Vec<_> = FILES.iter().map(|(path, _)| *path).collect();
        assert!(paths.iter().all(|path| kind(path) != "application/octet-stream"), "{paths:?}");
        let index = FILES.iter().find(|(path, _)| *path == INDEX).map(|(_, bytes)| bytes).expect("the page");
        let index = std::str::from_utf8(index).expect("text");
        let named: Vec<_> =
            index.split("\"/page/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(named.len() >= 5 && named.iter().all(|path| paths.contains(path)), "{named:?}");
    }

    #[test]
    fn elements_are_made_in_one_file_and_never_of_text() {
        for (path, bytes) in FILES.iter().filter(|(path, _)| kind(path).starts_with("text/")) {
            let text = std::str::from_utf8(bytes).expect("text");
            assert!(text.lines().count() <= 400, "{path} is too long to be read");
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "http://",
                "https://",
            ] {
                // The shape of a source's URL is shown, and the namespace of SVG named.
                let shown = ["http://www.w3.org/2000/svg", "https://<your domain>"];
                let rest = shown.iter().fold(text.to_owned(), |rest, known| rest.replace(known, ""));
                assert!(!rest.contains(word), "{path} names `{word}`");
            }
            assert!(*path == "dom.js" || !text.contains("createElement"), "{path} makes elements by hand");
        }
    }

    #[test]
    fn a_file_is_sent_once_while_it_stays_the_same() {
        let file = File::new("app.js", b"1");
        let asked = |tag: &str| {
            HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_str(tag).expect("a tag"))])
        };
        assert_eq!(file.answer(&HeaderMap::new()).status(), StatusCode::OK);
        assert_eq!(file.answer(&asked("\"other\"")).status(), StatusCode::OK);
        let tag = file.tag.to_str().expect("a tag").to_owned();
        let again = file.answer(&asked(&tag));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert!(again.headers().contains_key(header::CONTENT_SECURITY_POLICY));
    }
}
