//! A real browser: Chromium, where there is one.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::process::{Running, new_directory};

/// Names the browser to use; otherwise it is looked for on PATH.
const VARIABLE: &str = "PROTOBRIDGE_CHROMIUM";

const NAMES: [&str; 6] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome-headless-shell",
    "chromium-headless-shell",
];

/// A Chromium without a window. It ends with the value.
pub struct Browser {
    running: Running,
    log: PathBuf,
}

impl Browser {
    /// Opens `url` in the Chromium that [`find`] has found.
    #[track_caller]
    pub fn open(chromium: &Path, url: &str) -> Self {
        let directory = new_directory();
        let log = directory.join("browser.log");
        let output = File::create(&log).unwrap();
        let running = Running::start(
            Command::new(chromium)
                .args([
                    "--headless",
                    // It refuses to run as root otherwise, and needs what containers don't allow. The page is our own.
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-dev-shm-usage",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    "--no-first-run",
                    "--no-default-browser-check",
                    "--no-proxy-server",
                    // Some versions end at once unless they are to be debugged.
                    "--remote-debugging-port=0",
                ])
                .arg(format!("--user-data-dir={}", directory.join("profile").display()))
                .arg(url)
                .stdin(Stdio::null())
                .stdout(output.try_clone().unwrap())
                .stderr(output),
        );
        Self { running, log }
    }

    /// What the browser has to say for itself: how it ended, and its log.
    pub fn words(&mut self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        format!("{:?}\n{}", self.running.ended(), String::from_utf8_lossy(&log))
    }
}

/// A Chromium. `None` where there is none, and a line that says that `test` is therefore skipped.
///
/// # Panics
/// When [`VARIABLE`] names one that doesn't run.
pub fn find(test: &str) -> Option<PathBuf> {
    if let Some(program) = std::env::var_os(VARIABLE) {
        let program = PathBuf::from(program);
        assert!(runs(&program), "{VARIABLE}: {} does not run", program.display());
        return Some(program);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|directory| NAMES.map(|name| directory.join(name)))
        .find(|program| program.is_file() && runs(program));
    if found.is_none() {
        // Not by `eprintln!`, which the test runner shows of failed tests alone.
        let line = format!("{test}: skipped, as there is no Chromium on PATH, and {VARIABLE} names none\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    found
}

/// Not so a stand-in that only says how to install it.
fn runs(program: &Path) -> bool {
    let version = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    version.is_ok_and(|version| version.status.success())
}
