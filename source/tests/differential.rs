//! Ours against the public Standard Webhooks libraries of JavaScript and Python, on the same requests. Their clock is
//! the machine's, so no request here is within half a minute of the edge of the window.

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use serde_json::json;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tidegate_source::{Judgement, Request, Sources};
use tidegate_toolchain::tool;

const CASES: usize = 600;
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential");

/// What is done to a case, for people, and doing it.
type Change<'a> = (&'static str, &'a dyn Fn(&mut Case, &mut Rng));

/// One request, as the libraries are told of it.
#[derive(Clone, Debug, Serialize)]
struct Case {
    /// What was done to it; for people.
    what: &'static str,
    secret: String,
    headers: BTreeMap<&'static str, String>,
    body: String,
}

impl Case {
    /// A right one: any id, any text, a time well inside the window.
    fn right(random: &mut Rng, now_s: u64) -> Self {
        let mut key = [0; 32];
        random.fill(&mut key);
        let key = &key[..random.usize(24..=32)];
        let alphabet = [Rng::alphanumeric, |random: &mut Rng| random.choice(['-', '_', '.']).unwrap_or('.')];
        let id: String =
            (0..random.usize(1..40)).map(|n| alphabet[usize::from(n % 5 == 4)](random)).collect();
        let body: String = (0..random.usize(..200))
            .map(|_| if random.bool() { random.char(..) } else { random.char(' '..='~') })
            .collect();
        let time = now_s.saturating_add(270).saturating_sub(random.u64(..540)).to_string();
        let secret = format!("whsec_{}", STANDARD.encode(key));
        let signature = sign(&secret, &id, &time, &body);
        let headers = [("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", signature)];
        Self { what: "nothing", secret, headers: headers.into(), body }
    }

    fn signature(&mut self) -> &mut String {
        self.headers.entry("webhook-signature").or_default()
    }

    /// Signs it anew, at another time.
    fn at(&mut self, time: String) {
        let id = self.headers.get("webhook-id").cloned().unwrap_or_default();
        *self.signature() = sign(&self.secret, &id, &time, &self.body);
        self.headers.insert("webhook-timestamp", time);
    }

    /// Does one thing to it, for better or for worse.
    fn change(&mut self, random: &mut Rng, now_s: u64) {
        let right = self.signature().clone();
        let other = sign("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "another", "0", "body");
        let changes: [Change<'_>; 19] = [
            ("nothing", &|_, _| {}),
            ("no body, signed so", &|case, _| {
                case.body.clear();
                let time = case.headers.get("webhook-timestamp").cloned().unwrap_or_default();
                case.at(time);
            }),
            ("a wrong signature before", &|case, _| *case.signature() = format!("{other} {right}")),
            ("a wrong signature after", &|case, _| *case.signature() = format!("{right} {other}")),
            ("other versions around", &|case, _| *case.signature() = format!("v1a,AA== {right} v2,x")),
            ("a longer body", &|case, _| case.body.push(' ')),
            ("another character", &|case, random| {
                let mut characters: Vec<char> = case.body.chars().collect();
                characters.insert(random.usize(..=characters.len()), '\u{1f980}');
                case.body = characters.into_iter().collect();
            }),
            ("another secret", &|case, _| case.secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX".into()),
            ("another id", &|case, _| case.headers.entry("webhook-id").or_default().push('x')),
            ("another time", &|case, _| {
                case.headers.insert("webhook-timestamp", now_s.saturating_sub(271).to_string());
            }),
            ("too old", &|case, random| case.at(now_s.saturating_sub(random.u64(330..9_999)).to_string())),
            ("too new", &|case, random| case.at(now_s.saturating_add(random.u64(330..9_999)).to_string())),
            ("a time of the past century", &|case, _| case.at("0".into())),
            ("a time that is no number", &|case, _| case.at("NaN".into())),
            ("a cut signature", &|case, _| {
                let length = right.len().saturating_sub(4);
                case.signature().truncate(length);
            }),
            ("another digit", &|case, random| {
                let place = random.usize(3..right.len().saturating_sub(2));
                let digit = if right.as_bytes().get(place) == Some(&b'A') { "B" } else { "A" };
                case.signature().replace_range(place..=place, digit);
            }),
            ("another version", &|case, _| *case.signature() = right.replace("v1,", "v2,")),
            ("no signature", &|case, _| drop(case.headers.remove("webhook-signature"))),
            ("a header less", &|case, random| {
                let name = random.choice(["webhook-id", "webhook-timestamp"]).unwrap_or("webhook-id");
                case.headers.remove(name);
            }),
        ];
        let (what, change) = changes[random.usize(..changes.len())];
        self.what = what;
        change(self, random);
    }

    fn ours(&self, now_s: u64) -> bool {
        let signing = json!({ "secrets": [self.secret] });
        let tokens = ["0f1e2d3c4b5a69788796a5b4c3d2e1f0"];
        let entry = json!({ "profile": "standard-webhooks", "tokens": tokens, "signing": signing });
        let sources = Sources::parse(&json!({ "s": entry }).to_string());
        let sources = sources.unwrap_or_else(|error| panic!("{self:?}: {error}"));
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = Request { method: "POST", headers: &headers, body: self.body.as_bytes(), now_s };
        sources.iter().all(|source| source.judge(&request) == Judgement::Event)
    }
}

fn sign(secret: &str, id: &str, time: &str, body: &str) -> String {
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
    mac.update(format!("{id}.{time}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn javascript() -> anyhow::Result<Command> {
    let mut command = Command::new(tool::find("node")?);
    command.arg(format!("{SCRIPTS}/verify.mjs")).arg(tool::find("standardwebhooks")?);
    Ok(command)
}

fn python() -> anyhow::Result<Command> {
    let package = tool::find("standardwebhooks-python")?;
    let folder = package.ancestors().nth(2).context("the library is in a folder")?;
    let mut command = Command::new("python3");
    command.args(["-I", &format!("{SCRIPTS}/verify.py")]).arg(folder);
    Ok(command)
}

/// What a library says of each of these.
fn ask(mut command: Command, cases: &[Case]) -> anyhow::Result<Vec<bool>> {
    let program = command.get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {program}; type: cargo xtask tools --install"))?;
    let mut input = child.stdin.take().context("its input")?;
    // What it answers meanwhile fits in the pipe: a few bytes for each case.
    for case in cases {
        writeln!(input, "{}", serde_json::to_string(case)?)?;
    }
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{program} failed ({})", output.status);
    let said = String::from_utf8(output.stdout)?;
    let said: Vec<_> = said.lines().map(|line| line == "ok").collect();
    ensure!(said.len() == cases.len(), "{program} answered {} of {}", said.len(), cases.len());
    Ok(said)
}

#[test]
fn ours_and_the_public_libraries_say_the_same() -> anyhow::Result<()> {
    let mut random = Rng::with_seed(29);
    let now_s = now_s();
    let cases: Vec<_> = (0..CASES)
        .map(|_| {
            let mut case = Case::right(&mut random, now_s);
            case.change(&mut random, now_s);
            case
        })
        .collect();
    let ours: Vec<_> = cases.iter().map(|case| case.ours(now_s)).collect();
    for (name, command) in [("JavaScript's", javascript()?), ("Python's", python()?)] {
        let theirs = ask(command, &cases)?;
        for ((case, ours), theirs) in cases.iter().zip(&ours).zip(theirs) {
            ensure!(*ours == theirs, "ours says {ours}, {name} {theirs}: {case:?}");
        }
    }
    let right = ours.iter().filter(|ours| **ours).count();
    let each = CASES / 5;
    ensure!((each..CASES - each).contains(&right), "{right} of {CASES} are right: the cases are one-sided");
    Ok(())
}

#[test]
fn where_the_public_libraries_differ_ours_is_as_strict_as_the_standard() -> anyhow::Result<()> {
    let now_s = now_s();
    let right = Case::right(&mut Rng::with_seed(30), now_s);
    let (time, signature) = (now_s.to_string(), right.clone().signature().clone());
    let mut letters = right.clone();
    letters.at(time.clone());
    letters.headers.insert("webhook-timestamp", format!("{time}abc"));
    let mut fraction = right.clone();
    fraction.at(time.clone());
    fraction.headers.insert("webhook-timestamp", format!("{time}.0"));
    let mut entry = right.clone();
    *entry.signature() = format!("garbage {signature}");
    // The last digit of 32 bytes in base64 has two bits to spare: the next letter means the same bytes.
    let mut spare = right;
    let next = signature.bytes().rev().nth(1).map(|digit| char::from(digit.saturating_add(1)));
    let place = signature.len().saturating_sub(2);
    spare.signature().replace_range(place..=place, next.context("a digit")?.encode_utf8(&mut [0; 4]));
    // What is asked, and what JavaScript's, Python's and ours say.
    let known = [
        ("a time with letters after it", letters, [true, false, false]),
        ("a time with a fraction", fraction, [true, true, false]),
        ("an entry without a version", entry, [true, false, true]),
        ("a signature with its spare bits set", spare, [false, true, false]),
    ];
    let cases: Vec<_> = known.iter().map(|(_, case, _)| case.clone()).collect();
    let (javascript, python) = (ask(javascript()?, &cases)?, ask(python()?, &cases)?);
    for (((what, case, expected), javascript), python) in known.iter().zip(javascript).zip(python) {
        let said = [javascript, python, case.ours(now_s)];
        ensure!(said == *expected, "{what}: {said:?}");
    }
    Ok(())
}
