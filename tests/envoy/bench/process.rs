//! One Envoy process: started, awaited, asked through its admin interface, and ended whatever becomes of the test.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::turn;

/// How long Envoy may take to start or to give up: generous, for a busy machine that compiles a module in V8.
const START_LIMIT: Duration = Duration::from_secs(90);

/// A running Envoy. It ends with the value, and with the test process.
pub struct EnvoyProcess {
    running: Running,
    admin: SocketAddr,
    directory: PathBuf,
}

impl EnvoyProcess {
    /// Starts Envoy with `bootstrap`, which must have an admin listener on port 0, and waits until it is ready.
    ///
    /// # Panics
    /// When Envoy exits instead or does not become ready; with the end of its log.
    #[track_caller]
    pub fn start(bootstrap: &Value) -> Self {
        Self::start_with(bootstrap, 1, &[])
    }

    /// The same with so many workers, and these arguments besides.
    ///
    /// # Panics
    /// As [`EnvoyProcess::start`].
    #[track_caller]
    pub fn start_with(bootstrap: &Value, workers: usize, arguments: &[&str]) -> Self {
        match Self::try_start(bootstrap, workers, arguments) {
            Ok(process) => process,
            Err((status, log)) => panic!(
                "Envoy ended with {status} before it was ready; its log:\n{}",
                tail(&log)
            ),
        }
    }

    /// Starts Envoy with a `bootstrap` that it must refuse, and returns what it wrote to its log by then.
    ///
    /// # Panics
    /// When Envoy starts all the same.
    #[track_caller]
    pub fn refuse(bootstrap: &Value) -> String {
        match Self::try_start(bootstrap, 1, &[]) {
            Ok(_) => panic!("Envoy accepted a configuration that it must refuse"),
            Err((_, log)) => log,
        }
    }

    #[track_caller]
    fn try_start(bootstrap: &Value, workers: usize, arguments: &[&str]) -> Result<Self, (ExitStatus, String)> {
        turn::take(turn::capability());
        let directory = new_directory();
        let config = directory.join("envoy.json");
        fs::write(&config, serde_json::to_vec_pretty(bootstrap).unwrap()).unwrap();
        let log = File::create(directory.join("envoy.log")).unwrap();
        let admin_file = directory.join("admin");

        let mut running = Running::start(
            Command::new(binary())
                .arg("--config-path")
                .arg(&config)
                .arg("--admin-address-path")
                .arg(&admin_file)
                // No shared memory segment, which a killed Envoy would leave behind.
                .args([
                    "--disable-hot-restart",
                    "--concurrency",
                    &workers.to_string(),
                    "--log-level",
                    "info",
                ])
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log),
        );
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = running.ended() {
                return Err((status, read_log(&directory)));
            }
            // Written when the listener is bound; for a moment it is empty.
            if let Some(admin) = fs::read_to_string(&admin_file)
                .ok()
                .and_then(|text| text.trim().parse().ok())
                && get(admin, "/ready").is_some_and(|body| body.starts_with("LIVE"))
            {
                return Ok(Self {
                    running,
                    admin,
                    directory,
                });
            }
            assert!(
                Instant::now() < deadline,
                "Envoy is not ready in time; its log:\n{}",
                tail(&read_log(&directory))
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// How many bytes of memory the process has now; 0 where there is no `/proc`.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.running.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1024
    }

    /// How many bytes of it Envoy itself has allocated, and not freed: its buffers among them, the module's memory not.
    pub fn held(&self) -> u64 {
        let memory: Value = serde_json::from_str(&self.admin_get("/memory")).unwrap();
        memory["allocated"].as_str().unwrap().parse().unwrap()
    }

    /// The address at which the listener called `name` really listens.
    pub fn listener(&self, name: &str) -> SocketAddr {
        let listeners: Value = serde_json::from_str(&self.admin_get("/listeners?format=json")).unwrap();
        let statuses = listeners["listener_statuses"].as_array().unwrap();
        let address = statuses
            .iter()
            .find(|status| status["name"] == name)
            .map(|status| &status["local_address"]["socket_address"])
            .unwrap_or_else(|| panic!("Envoy has no listener {name}: {listeners}"));
        let ip = address["address"].as_str().unwrap();
        format!("{ip}:{}", address["port_value"]).parse().unwrap()
    }

    /// One of Envoy's counters or gauges; 0 when it isn't there, as before its first use.
    pub fn stat(&self, name: &str) -> u64 {
        let stats = self.admin_get(&format!("/stats?filter=^{}$", name.replace('.', "\\.")));
        let value = stats.trim().strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// The answer of the admin interface to `GET path`.
    pub fn admin_get(&self, path: &str) -> String {
        get(self.admin, path).unwrap_or_else(|| panic!("no answer from Envoy's admin interface to {path}"))
    }

    /// Everything that Envoy has logged up to now.
    pub fn log(&self) -> String {
        read_log(&self.directory)
    }
}

/// A process and all that it starts. They end with the value, and with the test process, however that ends: statics are
/// not dropped, and a killed process drops nothing.
pub struct Running {
    process: Child,
    /// A shell at the other end of a pipe, which closes when this process ends. It then ends the others.
    watchdog: Child,
}

impl Running {
    /// Starts `command` in a process group of its own.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let process = command
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        // A line on the pipe says that the process has been waited for, so that its number may be another's by now.
        // Signals from a terminal reach the shell too; it outlives them.
        let watchdog = Command::new("sh")
            .args([
                "-c",
                "trap '' HUP INT TERM; read -r line || kill -9 \"-$0\"",
                &process.id().to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, watchdog }
    }

    /// Starts a gRPC server, and waits until it prints its port on a line by itself. Returns where it listens.
    ///
    /// # Panics
    /// When it ends before that.
    pub fn service(command: &mut Command) -> (Self, SocketAddr) {
        let mut running = Self::start(command.stdin(Stdio::null()).stdout(Stdio::piped()));
        let mut line = String::new();
        let output = running.process.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).unwrap();
        let port: u16 = match line.trim().parse() {
            Ok(port) => port,
            Err(error) => panic!("{command:?} printed no port but {line:?}: {error}"),
        };
        (running, ([127, 0, 0, 1], port).into())
    }

    /// Starts a server of `tests/envoy/services` in JavaScript, with the .proto that it is to know.
    ///
    /// # Panics
    /// When it, or what it takes, isn't there.
    pub fn javascript(service: &str, proto: &Path) -> (Self, SocketAddr) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let packages = root.join("target/services/node_modules");
        assert!(
            packages.exists(),
            "{} does not exist: make it with `make services`",
            packages.display()
        );
        let service = root.join("tests/envoy/services").join(service);
        Self::service(Command::new("node").env("NODE_PATH", packages).arg(service).arg(proto))
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// How the process has ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.watchdog.stdin.take()
            && matches!(self.process.try_wait(), Ok(Some(_)))
        {
            let _ = pipe.write_all(b"\n");
        }
        let _ = self.watchdog.wait();
        let _ = self.process.wait();
    }
}

/// The Envoy to run: `ENVOY_BIN`, else the one that the Makefile puts into `.venv`.
pub fn binary() -> PathBuf {
    match std::env::var_os("ENVOY_BIN") {
        Some(path) => PathBuf::from(path),
        None => {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/envoy");
            assert!(
                path.exists(),
                "{} does not exist: make it with `make .venv`, or name an Envoy in ENVOY_BIN",
                path.display()
            );
            path
        }
    }
}

/// Whether this Envoy tells the upstream that a call is broken off. Before 1.37 it resets streams with `NO_ERROR`, which
/// tonic takes for the end of the request.
pub fn resets_tell() -> bool {
    version() >= (1, 37)
}

/// The major and minor version of [`binary`].
fn version() -> (u32, u32) {
    static VERSION: LazyLock<(u32, u32)> = LazyLock::new(|| {
        let output = Command::new(binary()).arg("--version").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let number = said.split('/').nth_back(3).unwrap_or_default();
        let mut parts = number.split('.').map(|part| part.parse().ok());
        match (parts.next().flatten(), parts.next().flatten()) {
            (Some(major), Some(minor)) => (major, minor),
            _ => panic!("{}: no version in {said:?}", binary().display()),
        }
    });
    *VERSION
}

/// A folder for one process's files, which stay there to be read after a failure until the next run. Its name has the
/// capability, as others can be tested at the same time, by a `cargo test` of their own.
#[track_caller]
pub fn new_directory() -> PathBuf {
    static STARTED: Mutex<BTreeMap<&str, u32>> = Mutex::new(BTreeMap::new());
    let capability = turn::capability();
    let number = {
        let mut started = STARTED.lock().unwrap();
        let started = started.entry(capability).or_default();
        *started += 1;
        *started
    };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("envoy-{capability}-{number}"));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// The body of a 200 answer; `None` for any other, or when nobody answers.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, mut chunks) = answer.split_once("\r\n\r\n")?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return None;
    }
    let mut body = String::new();
    loop {
        let (size, rest) = chunks.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(rest.get(..size)?);
        chunks = rest.get(size + 2..)?;
    }
}

fn read_log(directory: &Path) -> String {
    String::from_utf8_lossy(&fs::read(directory.join("envoy.log")).unwrap()).into_owned()
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
