//! The page's own files, compiled in. Their address carries a digest of their content, so a browser keeps them for ever.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// A file that the page needs.
struct Asset {
    name: &'static str,
    mime: &'static str,
    content: &'static str,
    digest: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    [
        ("page.css", "text/css; charset=utf-8", include_str!("assets/page.css")),
        ("page.js", "text/javascript; charset=utf-8", include_str!("assets/page.js")),
        ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ]
    .into_iter()
    .map(|(name, mime, content)| Asset {
        name,
        mime,
        content,
        digest: Sha256::digest(content).iter().take(8).map(|b| format!("{b:02x}")).collect(),
    })
    .collect()
});

/// The address of a file, with its digest.
pub fn address(name: &str) -> String {
    let digest = ASSETS.iter().find(|a| a.name == name).map_or("", |a| a.digest.as_str());
    format!("/assets/{name}?v={digest}")
}

/// `GET /assets/{name}`
pub async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|a| a.name == name) else { return StatusCode::NOT_FOUND.into_response() };
    let etag = format!("\"{}\"", asset.digest);
    let fixed = [(header::ETAG, etag.as_str()), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    if known.is_some_and(|list| list.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag)) {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    (fixed, [(header::CONTENT_TYPE, asset.mime)], asset.content).into_response()
}
