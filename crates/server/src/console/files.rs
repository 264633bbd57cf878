//! The console's files, which are built into the binary.
//!
//! Invariant: files under `assets/` have the hash of their content in their name, and browsers
//! cache them for good; everything else is revalidated each time. A path without a file returns the
//! console's first page, which handles its own paths.

use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};

use crate::{ResponseBody, full};

/// A file of the console.
#[derive(Debug, Clone, Copy)]
pub struct ConsoleAsset {
    /// Its path under `/console/`, for example `assets/index-a1b2.js`.
    pub path: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
    /// Its content compressed with gzip, if that is shorter.
    pub gzip: Option<&'static [u8]>,
}

/// Every file of the console.
#[derive(Debug, Clone)]
pub struct ConsoleBundle {
    assets: Vec<ConsoleAsset>,
    absent: String,
}

const INDEX: &str = "index.html";

impl ConsoleBundle {
    /// Creates the bundle from these files. `absent` says why the binary was built without any.
    pub fn new(assets: Vec<ConsoleAsset>, absent: impl Into<String>) -> Self {
        Self {
            assets,
            absent: absent.into(),
        }
    }

    /// Whether there are no files.
    pub const fn is_empty(&self) -> bool {
        self.assets.is_empty()
    }

    /// Why there are no files.
    pub fn absent(&self) -> &str {
        &self.absent
    }

    fn file(&self, path: &str) -> Option<&ConsoleAsset> {
        self.assets.iter().find(|asset| asset.path == path)
    }

    /// The page of a console that was not built.
    fn absence(&self) -> String {
        let why: String = self.absent.chars().map(visible).collect();
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Keywright</title>\
             <h1>The console is not part of this binary</h1><p>{why}</p>\
             <p>IAM, STS and S3 are served as always.</p></html>\n"
        )
    }
}

fn visible(letter: char) -> char {
    match letter {
        '<' | '>' | '&' => ' ',
        other => other,
    }
}

/// The response for a path under `/console/`.
pub(super) fn answer(bundle: &ConsoleBundle, path: &str, parts: &Parts) -> Response<ResponseBody> {
    let mut response = Response::new(full(""));
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(header::ALLOW, allowed);
        return response;
    }
    let asset = bundle.file(path).or_else(|| bundle.file(INDEX));
    let found = asset.map_or(INDEX, |asset| asset.path);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(found)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep(found)));
    let Some(asset) = asset else {
        *response.body_mut() = full(bundle.absence());
        return response;
    };
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let bytes = match asset.gzip {
        Some(gzip) if accepts_gzip(parts) => {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            gzip
        }
        _ => asset.bytes,
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    *response.body_mut() = full(bytes);
    response
}

fn accepts_gzip(parts: &Parts) -> bool {
    let accepted = parts.headers.get_all(header::ACCEPT_ENCODING).iter();
    let texts = accepted.filter_map(|value| value.to_str().ok());
    let mut codings = texts.flat_map(|text| text.split(','));
    codings.any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = matches!(quality.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

fn keep(path: &str) -> &'static str {
    if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
