//! A real browser without a screen.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::error::{Context, Error, Result};
use crate::install;
use crate::keeper::{Keeper, Plan};

/// Debian's Chromium with one page, driven by the DevTools protocol.
#[derive(Debug)]
pub struct Browser {
    to: File,
    from: BufReader<File>,
    session: Option<String>,
    last: u64,
    events: Vec<Value>,
    // Last, so that the pipes are closed before it ends.
    _keeper: Keeper,
}

impl Browser {
    /// Starts the browser with an empty page.
    pub fn start() -> Result<Browser> {
        install::apt(&["chromium"])?;
        let plan = Plan { bed: "browser", script: include_str!("../../beds/browser.sh"), files: vec![], env: vec![] };
        let keeper = Keeper::start(plan)?;
        // The browser opens them in this order, and each open waits for the other side.
        let open = |file: &str, options: &OpenOptions| {
            options.open(keeper.path(file)).context(|| format!("cannot open the browser's pipe `{file}`"))
        };
        let to = open("in", OpenOptions::new().write(true))?;
        let from = BufReader::new(open("out", OpenOptions::new().read(true))?);
        let mut browser = Browser { to, from, session: None, last: 0, events: Vec::new(), _keeper: keeper };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }))?;
        let parameters = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", &parameters)?;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}))?;
        }
        Ok(browser)
    }

    /// Opens a file and waits until it is loaded. Returns the addresses that were requested.
    pub fn open(&mut self, file: &Path) -> Result<Vec<String>> {
        self.events.clear();
        self.call("Page.navigate", &json!({ "url": format!("file://{}", file.display()) }))?;
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let message = self.receive()?;
            self.events.push(message);
        }
        let requests = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        let addresses = requests.filter_map(|event| event["params"]["request"]["url"].as_str().map(str::to_owned));
        Ok(addresses.collect())
    }

    /// The value of a JavaScript expression in the page.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.call("Runtime.evaluate", &parameters)?;
        match result.get("exceptionDetails") {
            Some(details) => Err(Error::Other(format!("{expression}: {details}"))),
            None => Ok(result["result"]["value"].clone()),
        }
    }

    /// Presses keys, as a user does: a name such as `Escape`, or one character.
    pub fn press(&mut self, keys: &[&str]) -> Result<()> {
        for key in keys {
            let text = if key.chars().count() == 1 { *key } else { "" };
            let kind = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
            self.call("Input.dispatchKeyEvent", &json!({ "type": kind, "key": key, "text": text }))?;
            self.call("Input.dispatchKeyEvent", &json!({ "type": "keyUp", "key": key }))?;
        }
        Ok(())
    }

    /// Makes the page see this preference of the user: `light` or `dark`.
    pub fn prefer(&mut self, scheme: &str) -> Result<()> {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features })).map(|_| ())
    }

    /// The page as a picture, in PNG.
    pub fn screenshot(&mut self) -> Result<Vec<u8>> {
        let picture = self.call("Page.captureScreenshot", &json!({ "format": "png" }))?;
        let text = picture["data"].as_str().unwrap_or_default();
        base64::engine::general_purpose::STANDARD.decode(text).map_err(|error| Error::Other(error.to_string()))
    }

    /// Errors of scripts, and refused loads, since the page was opened.
    pub fn errors(&mut self) -> Result<Vec<String>> {
        // What was reported before arrives before the answer.
        self.evaluate("1")?;
        let is_error = |event: &&Value| {
            let params = &event["params"];
            event["method"] == "Runtime.exceptionThrown"
                || event["method"] == "Log.entryAdded" && params["entry"]["level"] == "error"
        };
        Ok(self.events.iter().filter(is_error).map(|event| event["params"].to_string()).collect())
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Result<Value> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).context(|| format!("cannot send {method} to the browser"))?;
        loop {
            let mut answer = self.receive()?;
            if answer["id"] != self.last {
                self.events.push(answer);
                continue;
            }
            return match answer.get("error") {
                Some(error) => Err(Error::Other(format!("{method}: {error}"))),
                None => Ok(answer["result"].take()),
            };
        }
    }

    fn receive(&mut self) -> Result<Value> {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).context(|| "cannot read from the browser".to_owned())?;
        if bytes.pop().is_none() {
            return Err(Error::Other("the browser has ended".to_owned()));
        }
        serde_json::from_slice(&bytes).map_err(|error| Error::Other(format!("a message of the browser: {error}")))
    }
}
