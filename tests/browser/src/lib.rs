//! A page in headless Chromium, for tests: it is opened, used by mouse and keyboard, read
//! and checked.
//!
//! [`Page::open`] starts a Chromium of its own, with an empty profile. It needs Debian's
//! packages `chromium` and `chromium-driver`. Without them, it reports on standard error
//! that the test is skipped.
//!
//! An error fails the test: the functions panic, with the selector, the script or the file in
//! the message.

mod agent;
mod chromium;

pub use agent::Agent;
use chromium::Chromium;
use serde_json::{Value, json};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};
use thirtyfour::prelude::*;

/// How long [`Page::wait_until`] waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// A page that is open in a browser. If it is dropped, the browser ends.
pub struct Page {
    driver: WebDriver,
    /// Dropped last.
    _chromium: Chromium,
}

impl Drop for Page {
    fn drop(&mut self) {
        // The session ends with the browser. To end it here would block the runtime that the
        // request needs.
        _ = self.driver.clone().leak();
    }
}

impl Page {
    /// Opens an address, for example `file:///…` or `http://127.0.0.1:…`.
    ///
    /// Returns `None` if there is no Chromium. `test` is the name that is then reported as
    /// skipped.
    pub async fn open(test: &str, url: &str) -> Option<Self> {
        let chromium = match Chromium::start() {
            Ok(chromium) => chromium,
            Err(chromium::Missing) => {
                skipped(test, "chromium and chromedriver are not installed");
                return None;
            }
        };
        let driver = chromium.connect().await;
        let page = Self { driver, _chromium: chromium };
        page.driver.goto(url).await.expect(url);
        page.set_width(1280).await;
        Some(page)
    }

    /// Runs the body of a function in the page, and returns its value.
    pub async fn run(&self, script: &str) -> Value {
        let result = self.driver.execute(script, Vec::new()).await;
        result.unwrap_or_else(|error| panic!("{script}: {error}")).json().clone()
    }

    /// The visible text of the first element that a CSS selector finds.
    pub async fn text(&self, selector: &str) -> String {
        self.element(selector).await.text().await.expect(selector)
    }

    /// The visible texts of all elements that a CSS selector finds.
    pub async fn texts(&self, selector: &str) -> Vec<String> {
        let script = format!(
            "return [...document.querySelectorAll({selector:?})].map((each) => each.innerText ?? each.textContent)"
        );
        let texts = self.run(&script).await;
        texts
            .as_array()
            .expect(selector)
            .iter()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()
    }

    /// An attribute of the first element that a CSS selector finds.
    pub async fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        self.element(selector).await.attr(name).await.expect(selector)
    }

    /// Clicks in the middle of the first element that a CSS selector finds, as a mouse does.
    pub async fn click(&self, selector: &str) {
        self.element(selector).await.click().await.expect(selector);
    }

    /// Replaces the text of a field, or the choice of a list.
    pub async fn fill(&self, selector: &str, text: &str) {
        let script = format!(
            "const field = document.querySelector({selector:?}); field.value = {};
            for (const name of ['input', 'change']) field.dispatchEvent(new Event(name, {{ bubbles: true }}));",
            json!(text)
        );
        self.run(&script).await;
    }

    /// Opens another address in the same browser.
    pub async fn go(&self, url: &str) {
        self.driver.goto(url).await.expect(url);
    }

    /// Runs the body of an `async` function in the page, and returns its value.
    pub async fn run_async(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; (async () => {{ {script} }})().then(done, (error) => done(String(error)))"
        );
        let result = self.driver.execute_async(&script, Vec::new()).await;
        result.unwrap_or_else(|error| panic!("{script}: {error}")).json().clone()
    }

    /// Presses and releases a key. The element with the focus receives it.
    pub async fn press(&self, key: impl Into<char>) {
        let key = key.into();
        let keys = self.driver.action_chain().key_down(key).key_up(key);
        keys.perform().await.expect("the key is pressed");
    }

    /// Waits until an expression is true in the page, at most 60 s. `what` stands in the
    /// message if it stays false.
    pub async fn wait_until(&self, expression: &str, what: &str) {
        let begun = Instant::now();
        while self.run(&format!("return Boolean({expression})")).await != json!(true) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {expression} is false after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sets the width of the page in CSS pixels. Its height is 900.
    pub async fn set_width(&self, width: u32) {
        self.set_size(width, 900).await;
    }

    async fn set_size(&self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Sets the preferred color scheme: `light` or `dark`.
    pub async fn set_color_scheme(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    async fn devtools(&self, method: &str, parameters: Value) {
        self.driver.cdp().send_raw(method, parameters).await.expect(method);
    }

    /// The new entries of the browser's console: errors of scripts, failed or forbidden
    /// requests.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.driver.browser_log().await.expect("the log of the browser");
        log.into_iter().map(|entry| format!("{}: {}", entry.level, entry.message)).collect()
    }

    /// The violations of the rules of axe-core, which knows those of WCAG, as the page is now.
    ///
    /// Returns `None` if the environment variable `ONWARD_AXE` does not name the file
    /// `axe.min.js`. `test` is the name that is then reported as skipped.
    pub async fn violations(&self, test: &str) -> Option<Vec<String>> {
        let Some(path) = env::var_os("ONWARD_AXE").map(PathBuf::from) else {
            skipped(test, "ONWARD_AXE does not name the axe.min.js of axe-core");
            return None;
        };
        let axe =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.run(&axe).await;
        let script = "const done = arguments[0];
            axe.run().then(({ violations }) => done(violations.map(({ id, help, nodes }) =>
                `${id}: ${help}: ${nodes.map((node) => node.html + ' ' + node.failureSummary).join('; ')}`)),
                (error) => done([String(error)]));";
        let violations =
            self.driver.execute_async(script, Vec::new()).await.expect("axe-core runs");
        Some(violations.convert().expect("a list of texts"))
    }

    /// Writes a picture of the whole page, if the environment variable `ONWARD_PICTURES` names
    /// a folder.
    pub async fn picture(&self, name: &str) {
        let Some(folder) = env::var_os("ONWARD_PICTURES") else { return };
        let size = self.run("return [innerWidth, document.documentElement.scrollHeight]").await;
        let side = |at: usize| u32::try_from(size[at].as_u64().expect("a number")).expect("a size");
        self.set_size(side(0), side(1)).await;
        let path = Path::new(&folder).join(name).with_extension("png");
        self.driver
            .screenshot(&path)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.set_width(side(0)).await;
    }

    async fn element(&self, selector: &str) -> WebElement {
        let found = self.driver.find(By::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("no `{selector}` in the page: {error}"))
    }
}

/// The address of a file of the repository.
pub fn file_url(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = fs::canonicalize(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    format!("file://{}", path.display())
}

/// Reports a test as skipped: directly, since the output of a test that passes is not shown.
fn skipped(test: &str, why: &str) {
    let line = format!("skipped: {test} ({why})\n");
    io::stderr().write_all(line.as_bytes()).expect("standard error can be written to");
}
