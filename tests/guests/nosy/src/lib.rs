//! A plugin that looks around with all that Rust's standard library has, and says what it saw: the event's kind says
//! where it looks. It is built for wasm32-wasip2, so that the library asks WASI.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v1", world: "plugin" });
}

use bindings::exports::tidegate::plugin::handler::{Decision, Event, Guest, Refusal};
use std::collections::HashMap;
use std::fmt::Debug;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, io, process, thread};

struct Nosy;

/// What an earlier call left, were there any trace of it.
static CALLS: AtomicU32 = AtomicU32::new(0);

bindings::export!(Nosy with_types_in bindings);

impl Guest for Nosy {
    fn handle(event: Event) -> Result<Vec<Decision>, Refusal> {
        let earlier = CALLS.fetch_add(1, Ordering::Relaxed);
        assert_eq!(earlier, 0, "an earlier call left something");
        let seen = match event.kind.as_str() {
            "environment" => environment(),
            "files" => files(),
            "network" => network(),
            "clocks" => clocks(),
            "chance" => chance(),
            "output" => output(),
            "panic" => panic!("no handler for {}\nof {}", event.kind, event.subject),
            "exit" => process::exit(3),
            "quit" => process::exit(0),
            "flood-log" => flood(),
            "flood-at-once" => flood_at_once(),
            "hoard-chance" => hoard_chance(),
            "hoard-pollables" => hoard_pollables(),
            "sleep-for-ever" => loop {
                thread::sleep(Duration::from_secs(1));
            },
            "wait-for-the-clock" => wait_for_the_clock(),
            _ => Vec::new(),
        };
        Ok(seen.into_iter().map(Decision::Note).collect())
    }
}

fn environment() -> Vec<String> {
    vec![
        format!("variables {:?}", env::vars_os().collect::<Vec<_>>()),
        format!("HOME {:?}", env::var_os("HOME")),
        format!("arguments {:?}", env::args_os().collect::<Vec<_>>()),
        format!("directory {:?}", env::current_dir().is_ok_and(|dir| dir.read_dir().is_ok())),
    ]
}

/// What each attempt ended in: a kind of error, or what was got.
fn outcome<T: Debug>(what: &str, result: io::Result<T>) -> String {
    match result {
        Ok(got) => format!("{what}: {got:?}"),
        Err(error) => format!("{what}: no ({:?})", error.kind()),
    }
}

fn files() -> Vec<String> {
    let mut line = String::new();
    vec![
        outcome("read", fs::read("/etc/passwd")),
        outcome("write", fs::write("/tmp/nosy", "was here")),
        outcome("list", fs::read_dir("/").map(Iterator::count)),
        outcome("list here", fs::read_dir(".").map(Iterator::count)),
        outcome("make", fs::create_dir("nosy")),
        outcome("remove", fs::remove_file("/etc/passwd")),
        outcome("standard input", io::stdin().read_line(&mut line)),
        outcome("all of it", io::stdin().read_to_string(&mut line)),
    ]
}

fn network() -> Vec<String> {
    vec![
        outcome("connect", TcpStream::connect("127.0.0.1:80").map(drop)),
        outcome("listen", TcpListener::bind("127.0.0.1:0").map(drop)),
        outcome("datagrams", UdpSocket::bind("0.0.0.0:0").map(drop)),
        outcome("look up", ("localhost", 80).to_socket_addrs().map(Iterator::count)),
    ]
}

fn clocks() -> Vec<String> {
    let read = |instant: Instant| {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map(|since| since.as_millis());
        format!("{:?} and {} ns later", wall.ok(), instant.elapsed().as_nanos())
    };
    let began = Instant::now();
    let mut seen = vec![read(began)];
    thread::sleep(Duration::from_millis(1_500));
    seen.push(read(began));
    thread::sleep(Duration::from_secs(3_600));
    seen.push(read(began));
    seen
}

/// The order of a map's keys, which the library seeds anew in each process.
fn chance() -> Vec<String> {
    let keys: HashMap<u32, ()> = (0..12).map(|key| (key, ())).collect();
    vec![format!("{:?}", keys.into_keys().collect::<Vec<_>>())]
}

fn output() -> Vec<String> {
    println!("a line");
    eprintln!("an error");
    print!("in two ");
    println!("parts");
    let mut out = io::stdout().lock();
    // Not UTF-8, and what a terminal would obey.
    let written = out.write_all(b"odd: \xff \x1b[2J\r\n\n").and_then(|()| out.flush());
    print!("without an end");
    io::stdout().flush().expect("the log takes it");
    vec![outcome("write", written)]
}

fn flood() -> Vec<String> {
    for count in 0..100_000 {
        println!("line {count}");
    }
    vec!["all was taken".to_owned()]
}

/// What the library would write in pieces.
fn flood_at_once() -> Vec<String> {
    let bytes = vec![b'x'; 4 << 20];
    let stderr = wasi::get_stderr();
    let mut result = [0; 3];
    wasi::write_and_flush(stderr, bytes.as_ptr(), bytes.len(), &raw mut result);
    vec!["all was taken".to_owned()]
}

/// What the library does not offer: the calls themselves.
mod wasi {
    #[link(wasm_import_module = "wasi:random/random@0.2.0")]
    unsafe extern "C" {
        #[link_name = "get-random-bytes"]
        pub(super) safe fn get_random_bytes(count: u64, list: *mut [usize; 2]);
    }

    #[link(wasm_import_module = "wasi:clocks/monotonic-clock@0.2.0")]
    unsafe extern "C" {
        #[link_name = "subscribe-duration"]
        pub(super) safe fn subscribe_duration(ns: u64) -> i32;
    }

    #[link(wasm_import_module = "wasi:cli/stderr@0.2.0")]
    unsafe extern "C" {
        #[link_name = "get-stderr"]
        pub(super) safe fn get_stderr() -> i32;
    }

    #[link(wasm_import_module = "wasi:io/streams@0.2.0")]
    unsafe extern "C" {
        #[link_name = "[method]output-stream.blocking-write-and-flush"]
        pub(super) safe fn write_and_flush(stream: i32, bytes: *const u8, count: usize, result: *mut [u32; 3]);
    }
}

fn hoard_chance() -> Vec<String> {
    let mut list = [0; 2];
    wasi::get_random_bytes(4 << 30, &raw mut list);
    vec![format!("{} bytes", list[1])]
}

/// Takes handles and never gives one back.
fn hoard_pollables() -> Vec<String> {
    let held = (0..1_000_000_u64).map(|ns| wasi::subscribe_duration(ns)).filter(|handle| *handle > 0);
    vec![format!("{} pollables", held.count())]
}

/// A clock that stands still never comes to the end of a wait.
fn wait_for_the_clock() -> Vec<String> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1) {}
    vec!["time passed".to_owned()]
}
