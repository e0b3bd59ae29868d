//! A minimal editor that sends requests to rust-analyzer about one file.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The time limit for rust-analyzer to build the macro and to answer.
const PATIENCE: Duration = Duration::from_secs(400);

/// A running rust-analyzer with one file open.
pub struct Client {
    server: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    requests: u64,
    version: u64,
    uri: String,
}

impl Client {
    /// Starts rust-analyzer on a project and waits until it has loaded the project.
    pub fn start(project: &Path, target: &Path) -> Client {
        let program = std::env::var_os("RUST_ANALYZER").unwrap_or_else(|| "rust-analyzer".into());
        let mut server = Command::new(&program)
            .current_dir(project)
            .env("CARGO_NET_OFFLINE", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{program:?}: {e}"));
        let input = server.stdin.take().expect("a pipe");
        let output = server.stdout.take().expect("a pipe");
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let root = format!("file://{}", project.display());
        let uri = format!("{root}/src/main.rs");
        let mut client = Client { server, input, messages, requests: 0, version: 1, uri };
        client.request(
            "initialize",
            json!({
                "processId": std::process::id(),
                "rootUri": root,
                "capabilities": {
                    "experimental": { "serverStatusNotification": true },
                    "textDocument": { "hover": { "contentFormat": ["markdown"] } },
                },
                "initializationOptions": {
                    "checkOnSave": false,
                    "cachePriming": { "enable": false },
                    "cargo": { "targetDir": target },
                },
            }),
        );
        client.notify("initialized", json!({}));
        let text = std::fs::read_to_string(project.join("src/main.rs")).expect("the file");
        let document = json!({
            "uri": client.uri, "languageId": "rust", "version": 1, "text": text,
        });
        client.notify("textDocument/didOpen", json!({ "textDocument": document }));
        let status = client.wait(|message| {
            message["method"] == "experimental/serverStatus"
                && message["params"]["quiescent"] == true
        });
        // A warning says that the sources of the standard library are missing, which does not matter here.
        assert_ne!(status["params"]["health"], "error", "{status}");
        client
    }

    /// Replaces the text of the file.
    pub fn edit(&mut self, text: &str) {
        self.version += 1;
        let document = json!({ "uri": self.uri, "version": self.version });
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": [{ "text": text }] }),
        );
    }

    /// Sends a request about a position, a byte offset in `text`, which is the text of the file.
    pub fn ask(&mut self, method: &str, text: &str, at: usize, extra: Value) -> Value {
        let before = &text[..at];
        let line = before.matches('\n').count();
        let character = before.rsplit('\n').next().unwrap_or("").encode_utf16().count();
        let mut parameters = json!({
            "textDocument": { "uri": self.uri },
            "position": { "line": line, "character": character },
        });
        if let (Some(all), Some(extra)) = (parameters.as_object_mut(), extra.as_object()) {
            all.extend(extra.clone());
        }
        self.request(method, parameters)
    }

    /// The errors that rust-analyzer itself reports for the file.
    pub fn diagnostics(&mut self) -> Vec<String> {
        let document = json!({ "textDocument": { "uri": self.uri } });
        let report = self.request("textDocument/diagnostic", document);
        let items = report["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item["message"].as_str().unwrap_or("").to_string()).collect()
    }

    fn request(&mut self, method: &str, parameters: Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({ "id": id, "method": method, "params": parameters }));
        let answer = self.wait(|message| message["id"] == id && message["method"].is_null());
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn notify(&mut self, method: &str, parameters: Value) {
        self.send(&json!({ "method": method, "params": parameters }));
    }

    fn send(&mut self, message: &Value) {
        let mut message = message.clone();
        message["jsonrpc"] = "2.0".into();
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("to send");
        self.input.flush().expect("to send");
    }

    /// The next message for which `wanted` is true. Requests from rust-analyzer in the meantime get an empty
    /// response.
    fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left).expect("an answer in time");
            if wanted(&message) {
                return message;
            }
            if !message["id"].is_null() && !message["method"].is_null() {
                self.send(&json!({ "id": message["id"], "result": null }));
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Reads one message; `None` at the end.
fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(number) = line.strip_prefix("Content-Length: ") {
            length = number.parse().ok();
        }
    }
    let mut bytes = vec![0; length?];
    output.read_exact(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}
