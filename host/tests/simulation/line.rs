//! The line between a host and the server of its database, on which connections are lost: before what was asked gets there,
//! before the answer comes back, and so that one end notices before the other. What is lost and when is drawn by whoever is
//! about to ask; the run's one thread waits for each answer, so the same seed loses the same.

use fastrand::Rng;
use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// By how much one end notices later than the other.
const LATE: Duration = Duration::from_millis(5);
/// How long it may take until nobody uses the line any more.
const REST_MAX: Duration = Duration::from_secs(30);

/// How a connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loss {
    /// What was asked gets nowhere.
    Question,
    /// It was done, and nobody hears of it.
    Answer,
    /// The host hears that the connection is lost, and what it asked gets there after that.
    QuestionIsLate,
    /// As [`Loss::Question`], and the server hears of it after the host.
    ServerIsLate,
}

pub(crate) const LOSSES: [Loss; 4] = [Loss::Question, Loss::Answer, Loss::QuestionIsLate, Loss::ServerIsLate];

/// Which question it is that meets a loss.
#[derive(Clone, Copy, Debug)]
enum When {
    After(u32),
    AtCommit,
}

/// What a host is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    Reads,
    Writes,
}

/// What will be lost, and what was.
pub(crate) struct Fates {
    state: Mutex<State>,
    /// How many connections are lost at most while a host reads once, or writes.
    losses_max: usize,
    /// Told when nobody uses the line any more.
    rests: Condvar,
}

struct State {
    rng: Rng,
    plan: VecDeque<(When, Loss)>,
    lost: Vec<String>,
    connections: usize,
    is_over: bool,
}

impl Fates {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws what is lost while this is done; what was drawn before and did not happen will not.
    pub(crate) fn draw(&self, asks: Asks) {
        let mut state = self.state();
        let State { rng, plan, .. } = &mut *state;
        plan.clear();
        let (one_in, questions) = match asks {
            Asks::Reads => (32, 5),
            Asks::Writes => (6, 20),
        };
        if rng.u32(..one_in) > 0 {
            return;
        }
        for _ in 0..rng.usize(1..=self.losses_max) {
            let at_commit = asks == Asks::Writes && rng.bool();
            let when = if at_commit { When::AtCommit } else { When::After(rng.u32(..questions)) };
            plan.push_back((when, LOSSES[rng.usize(..LOSSES.len())]));
        }
    }

    /// Nothing is lost until something is drawn.
    pub(crate) fn rest(&self) {
        self.state().plan.clear();
    }

    /// What was lost since this was asked last.
    pub(crate) fn lost(&self) -> Vec<String> {
        std::mem::take(&mut self.state().lost)
    }

    fn meets(&self, question: &[u8], is_first: bool) -> Option<Loss> {
        // With its first question a connection is made: whoever reads is told when that fails, and not helped.
        if is_first && self.losses_max == 1 {
            return None;
        }
        let is_commit = question.ends_with(b"COMMIT\0");
        let mut state = self.state();
        let (when, loss) = state.plan.front_mut()?;
        match when {
            When::AtCommit if !is_commit => return None,
            When::After(questions @ 1..) => {
                *questions -= 1;
                return None;
            }
            When::AtCommit | When::After(0) => {}
        }
        let loss = *loss;
        state.plan.pop_front();
        state.lost.push(format!("{loss:?}{}", if is_commit { " of a commit" } else { "" }));
        Some(loss)
    }

    fn comes(&self) {
        self.state().connections += 1;
    }

    fn goes(&self) {
        self.state().connections -= 1;
        self.rests.notify_all();
    }
}

pub(crate) struct Line {
    pub(crate) port: u16,
    pub(crate) fates: Arc<Fates>,
    accepting: Option<JoinHandle<()>>,
}

impl Line {
    /// One to the server on this port.
    pub(crate) fn to(server: u16, seed: u64, losses_max: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a port").port();
        let state = State {
            rng: Rng::with_seed(seed),
            plan: VecDeque::new(),
            lost: Vec::new(),
            connections: 0,
            is_over: false,
        };
        let fates = Arc::new(Fates { state: Mutex::new(state), losses_max, rests: Condvar::new() });
        let own = Arc::clone(&fates);
        let accepting = std::thread::spawn(move || {
            for host in listener.incoming().map_while(Result::ok) {
                if own.state().is_over {
                    return;
                }
                own.comes();
                let fates = Arc::clone(&own);
                std::thread::spawn(move || {
                    // However it ended: to the host it is lost.
                    let _ = carry(&host, server, &fates);
                    fates.goes();
                });
            }
        });
        Self { port, fates, accepting: Some(accepting) }
    }

    /// Waits until nobody uses it: the server has seen that, too.
    pub(crate) fn wait_until_unused(&self) {
        let is_used = |state: &mut State| state.connections > 0;
        let (state, waited) = self
            .fates
            .rests
            .wait_timeout_while(self.fates.state(), REST_MAX, is_used)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "{} connections of a host that is gone", state.connections);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.fates.state().is_over = true;
        // Whoever accepts sees that with the next that comes.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// Carries what a host asks to the server, and what that answers back, until one of them ends it or it is lost.
fn carry(host: &TcpStream, server: u16, fates: &Fates) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    host.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let carried = carry_until_lost(host, &server, fates);
    // What its session had locked is free when the host notices, unless the host was to notice first.
    end(&server)?;
    end(host)?;
    carried
}

/// Ends a connection from here, and waits until the other end has seen it.
fn end(mut connection: &TcpStream) -> io::Result<()> {
    connection.shutdown(Shutdown::Write)?;
    io::copy(&mut connection, &mut io::sink())?;
    Ok(())
}

fn carry_until_lost(mut host: &TcpStream, mut server: &TcpStream, fates: &Fates) -> io::Result<()> {
    let (mut asked, mut answered) = (BufReader::new(host), BufReader::new(server));
    let mut length = [0; 4];
    asked.read_exact(&mut length)?;
    server.write_all(&length)?;
    server.write_all(&body(&mut asked, length)?)?;
    host.write_all(&messages(&mut answered, b"Z")?)?;
    let mut is_first = true;
    loop {
        let question = messages(&mut asked, b"QSX")?;
        let loss = fates.meets(&question, is_first);
        is_first = false;
        if matches!(loss, Some(Loss::QuestionIsLate | Loss::ServerIsLate)) {
            host.shutdown(Shutdown::Write)?;
            std::thread::park_timeout(LATE);
        }
        if matches!(loss, Some(Loss::Question | Loss::ServerIsLate)) {
            return Ok(());
        }
        server.write_all(&question)?;
        let answer = messages(&mut answered, b"Z")?;
        if loss.is_some() {
            return Ok(());
        }
        host.write_all(&answer)?;
    }
}

/// Messages of the server's protocol, up to one of a kind that somebody else speaks after: the question is whole, or the
/// answer is.
fn messages(from: &mut impl Read, last: &[u8]) -> io::Result<Vec<u8>> {
    let mut messages = Vec::new();
    loop {
        let mut kind = [0];
        from.read_exact(&mut kind)?;
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        messages.extend(kind);
        messages.extend(length);
        messages.extend(body(from, length)?);
        if last.contains(&kind[0]) {
            return Ok(messages);
        }
    }
}

/// The rest of a message whose length, its own four bytes included, is this.
fn body(from: &mut impl Read, length: [u8; 4]) -> io::Result<Vec<u8>> {
    let rest = u32::from_be_bytes(length).saturating_sub(4);
    let mut body = Vec::new();
    from.take(rest.into()).read_to_end(&mut body)?;
    Ok(body)
}
