//! The sending side: keep-alive connections that post payloads, either each as soon as its
//! last answer came (a closed loop), or evenly spaced in time whatever the answers do (an
//! open loop). In the open loop a payload carries the moment it was meant to leave, so that
//! a stall of the server shows in the latency of all that were due in it.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpStream, task::JoinSet};

use super::{
    clock,
    console::say,
    latency::{Latencies, Summary},
    payload, tenant,
    webhook::Signer,
};

/// How long answers are waited for after the last request of an open loop.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What to send.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The connections are spread over them evenly.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    /// What surrounds the payload in a request's body.
    pub(crate) around: (String, String),
    /// The payload is an event, and every request is signed as a provider signs it.
    pub(crate) is_webhook: bool,
    /// The number of applications that requests are sent to in turn; 0 for the one in the path.
    pub(crate) tenants: u64,
    pub(crate) connections: usize,
    /// Requests per second of an open loop; none for a closed one.
    pub(crate) rate: Option<f64>,
    pub(crate) seconds: f64,
    /// Most requests in all.
    pub(crate) limit: u64,
    /// The first payload's number.
    pub(crate) first: u64,
}

/// What became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) requests: u64,
    pub(crate) accepted: u64,
    pub(crate) refused: BTreeMap<u16, u64>,
    /// From the moment a request was meant to leave to its answer.
    pub(crate) answers: Summary,
    pub(crate) seconds: f64,
}

#[derive(Debug)]
struct Run {
    order: Order,
    request: Vec<u8>,
    payload_at: usize,
    /// Where the digits of an application's number end, if there are several.
    digits_until: Option<usize>,
    /// Makes the requests in place of the template, if they are webhooks.
    signer: Option<Signer>,
    next: AtomicU64,
    until: Instant,
    tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    accepted: u64,
    refused: BTreeMap<u16, u64>,
    latencies: Latencies,
}

pub(crate) async fn run(order: Order) -> anyhow::Result<()> {
    let started = clock::now();
    let until = started + Duration::from_secs_f64(order.seconds);
    let (request, payload_at) = request(&order);
    let digits_until = (order.tenants > 0).then(|| digits_until(&request)).flatten();
    let signer = order.is_webhook.then(|| Signer::new(&order.path)).transpose()?;
    let run = Arc::new(Run {
        request,
        payload_at,
        digits_until,
        signer,
        next: AtomicU64::new(order.first),
        until,
        tally: Mutex::default(),
        order,
    });
    match run.order.rate {
        None => closed_loop(&run).await?,
        Some(rate) => open_loop(&run, rate).await?,
    }
    let mut tally = locked(&run.tally);
    let end = (run.order.first + run.order.limit).min(run.next.load(Ordering::Relaxed));
    say(&Sent {
        requests: end - run.order.first,
        accepted: tally.accepted,
        refused: tally.refused.clone(),
        answers: std::mem::take(&mut tally.latencies).summarize(),
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The bytes of a request, and where in them the payload begins.
fn request(order: &Order) -> (Vec<u8>, usize) {
    let payload = payload::template();
    let (before, after) = &order.around;
    let length = before.len() + payload.len() + after.len();
    let mut head = format!("POST {} HTTP/1.1\r\nhost: localhost\r\n", order.path);
    for (name, value) in &order.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    let length = length.to_string();
    head.extend(["content-type: application/json\r\ncontent-length: ", &length, "\r\n\r\n"]);
    head.push_str(before);
    let payload_at = head.len();
    (format!("{head}{payload}{after}").into_bytes(), payload_at)
}

/// Where the digits end that the path of a request has.
fn digits_until(request: &[u8]) -> Option<usize> {
    let uid = tenant::uid(0);
    let at = request.windows(uid.len()).position(|it| it == uid.as_bytes())?;
    Some(at + uid.len())
}

/// Writes a number over the digits at the end.
fn write_digits(text: &mut [u8], mut number: u64) {
    for digit in text.iter_mut().rev().take(tenant::DIGITS) {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

impl Run {
    /// The next payload's number, while there is time and the limit is not reached.
    fn number(&self) -> Option<u64> {
        if clock::now() >= self.until {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.order.first + self.order.limit).then_some(number)
    }

    fn stamp(&self, request: &mut Vec<u8>, number: u64, at: u64) {
        match &self.signer {
            Some(signer) => signer.write(request, number, at),
            None => payload::stamp(&mut request[self.payload_at..], number, at),
        }
        if let Some(until) = self.digits_until {
            write_digits(&mut request[..until], number % self.order.tenants);
        }
    }

    fn answered(&self, status: u16, at: u64) {
        let now = clock::unix_nanos();
        let mut tally = locked(&self.tally);
        tally.latencies.note(at, now);
        if (200..300).contains(&status) {
            tally.accepted += 1;
        } else {
            *tally.refused.entry(status).or_default() += 1;
        }
    }
}

async fn closed_loop(run: &Arc<Run>) -> anyhow::Result<()> {
    let mut connections = JoinSet::new();
    for stream in connect(&run.order).await? {
        connections.spawn(one_after_another(Arc::clone(run), stream));
    }
    while let Some(ended) = connections.join_next().await {
        ended??;
    }
    Ok(())
}

async fn one_after_another(run: Arc<Run>, stream: TcpStream) -> anyhow::Result<()> {
    let mut request = run.request.clone();
    let mut buffer = Vec::with_capacity(4_096);
    while let Some(number) = run.number() {
        let at = clock::unix_nanos();
        run.stamp(&mut request, number, at);
        write(&stream, &request).await?;
        run.answered(answer(&stream, &mut buffer).await?, at);
    }
    Ok(())
}

/// The connections of an open loop: a request goes out on one that is idle, or waits for
/// one to become so.
#[derive(Debug)]
struct Line {
    run: Arc<Run>,
    lanes: Vec<Lane>,
    waiting: Mutex<Waiting>,
    in_flight: AtomicUsize,
}

#[derive(Debug)]
struct Lane {
    stream: TcpStream,
    /// The request's bytes, and when the one in flight was meant to leave.
    request: Mutex<(Vec<u8>, u64)>,
}

#[derive(Debug, Default)]
struct Waiting {
    idle: VecDeque<usize>,
    owed: VecDeque<u64>,
}

async fn open_loop(run: &Arc<Run>, rate: f64) -> anyhow::Result<()> {
    let mut lanes = Vec::new();
    for stream in connect(&run.order).await? {
        lanes.push(Lane { stream, request: Mutex::new((run.request.clone(), 0)) });
    }
    let waiting = Waiting { idle: (0..lanes.len()).collect(), owed: VecDeque::new() };
    let line = Arc::new(Line {
        run: Arc::clone(run),
        lanes,
        waiting: Mutex::new(waiting),
        in_flight: AtomicUsize::new(0),
    });
    let mut readers = JoinSet::new();
    for index in 0..line.lanes.len() {
        readers.spawn(Arc::clone(&line).read(index));
    }
    // A thread of its own, because timers of the runtime have a grain of a millisecond.
    let pacing = Arc::clone(&line);
    let paced = tokio::task::spawn_blocking(move || pacing.pace(rate));
    tokio::select! {
        result = paced => result??,
        Some(ended) = readers.join_next() => ended??,
    }
    let deadline = clock::now() + TIMEOUT;
    while line.in_flight.load(Ordering::Relaxed) > 0 && clock::now() < deadline {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(5)) => {},
            Some(ended) = readers.join_next() => ended??,
        }
    }
    Ok(())
}

impl Line {
    fn pace(&self, rate: f64) -> anyhow::Result<()> {
        let start = clock::now();
        let start_nanos = clock::unix_nanos();
        for sent in 0..self.run.order.limit {
            let offset = Duration::from_secs_f64(sent as f64 / rate);
            let due = start + offset;
            if due >= self.run.until {
                break;
            }
            let early = due.saturating_duration_since(clock::now());
            if !early.is_zero() {
                std::thread::sleep(early);
            }
            self.due(start_nanos + u64::try_from(offset.as_nanos()).unwrap_or(0))?;
        }
        Ok(())
    }

    fn due(&self, at: u64) -> anyhow::Result<()> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let idle = {
            let mut waiting = locked(&self.waiting);
            let idle = waiting.idle.pop_front();
            if idle.is_none() {
                waiting.owed.push_back(at);
            }
            idle
        };
        idle.map_or(Ok(()), |index| self.send(index, at))
    }

    fn send(&self, index: usize, at: u64) -> anyhow::Result<()> {
        let lane = &self.lanes[index];
        let mut request = locked(&lane.request);
        request.1 = at;
        let number = self.run.next.fetch_add(1, Ordering::Relaxed);
        self.run.stamp(&mut request.0, number, at);
        // The last request was answered, so the socket's buffer is empty and has room.
        let written = lane.stream.try_write(&request.0).context("write")?;
        ensure!(written == request.0.len(), "a request did not fit the socket's buffer");
        Ok(())
    }

    async fn read(self: Arc<Self>, index: usize) -> anyhow::Result<()> {
        let lane = &self.lanes[index];
        let mut buffer = Vec::with_capacity(4_096);
        loop {
            let status = answer(&lane.stream, &mut buffer).await?;
            let at = locked(&lane.request).1;
            self.run.answered(status, at);
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            let owed = {
                let mut waiting = locked(&self.waiting);
                let owed = waiting.owed.pop_front();
                if owed.is_none() {
                    waiting.idle.push_back(index);
                }
                owed
            };
            if let Some(at) = owed {
                self.send(index, at)?;
            }
        }
    }
}

async fn connect(order: &Order) -> anyhow::Result<Vec<TcpStream>> {
    let mut streams = Vec::new();
    for address in order.addresses.iter().cycle().take(order.connections) {
        let connected = TcpStream::connect(address).await;
        let stream = connected.with_context(|| format!("connect {address}"))?;
        stream.set_nodelay(true)?;
        stream.writable().await?;
        streams.push(stream);
    }
    Ok(streams)
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> anyhow::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                stream.writable().await?;
            },
            Err(error) => return Err(error).context("write"),
        }
    }
    Ok(())
}

/// Reads one answer and returns its status.
async fn answer(stream: &TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<u16> {
    loop {
        if let Some((status, length)) = parse(buffer)? {
            buffer.drain(..length);
            return Ok(status);
        }
        stream.readable().await?;
        match stream.try_read_buf(buffer) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(_) => {},
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {},
            Err(error) => return Err(error).context("read"),
        }
    }
}

/// The status and the length of the answer that the buffer begins with, once it is whole.
fn parse(buffer: &[u8]) -> anyhow::Result<Option<(u16, usize)>> {
    let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&buffer[..head]).context("an answer's head is not text")?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let mut length = 0;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().context("an answer's length is no number")?;
        }
        ensure!(!name.eq_ignore_ascii_case("transfer-encoding"), "an answer came in chunks");
    }
    let whole = head + 4 + length;
    Ok((buffer.len() >= whole).then_some((status.parse().context("no status")?, whole)))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_names_its_own_application() {
        let mut request = format!("POST /app/{}/msg", tenant::uid(0)).into_bytes();
        let until = digits_until(&request).unwrap();
        write_digits(&mut request[..until], 99_012);
        assert_eq!(request, format!("POST /app/{}/msg", tenant::uid(99_012)).into_bytes());
        assert_eq!(digits_until(b"POST /app/other/msg"), None);
    }

    #[test]
    fn an_answer_is_read_once_it_is_whole() {
        let whole = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(parse(&whole[..whole.len() - 1]).unwrap(), None);
        assert_eq!(parse(whole).unwrap(), Some((202, whole.len())));
        assert_eq!(parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), Some((204, 27)));
    }
}
