//! The files of the status page. They are in the program itself.

use axum::Router;
use axum::routing::get;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};

const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The path, the content type and the content of each file.
macro_rules! files {
    ($($path:literal $kind:ident $file:literal)*) => {
        [$(($path, $kind, include_str!(concat!("page/", $file)))),*]
    };
}

const FILES: [(&str, &str, &str); 15] = files! {
    "/" HTML "index.html"
    "/page/style.css" CSS "style.css"
    "/page/icon.svg" SVG "icon.svg"
    "/page/main.js" JS "main.js"
    "/page/agent.js" JS "agent.js"
    "/page/api.js" JS "api.js"
    "/page/diagram.js" JS "diagram.js"
    "/page/elements.js" JS "elements.js"
    "/page/log.js" JS "log.js"
    "/page/notices.js" JS "notices.js"
    "/page/rows.js" JS "rows.js"
    "/page/table.js" JS "table.js"
    "/page/task.js" JS "task.js"
    "/page/text.js" JS "text.js"
    "/page/timeline.js" JS "timeline.js"
};

/// Makes a route for each file. A browser asks again for each use, because another version of the
/// agent has other files.
pub(super) fn routes() -> Router {
    FILES.into_iter().fold(Router::new(), |router, (path, kind, text)| {
        router.route(
            path,
            get(async move || ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text)),
        )
    })
}
