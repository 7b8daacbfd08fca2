//! A network in memory. Its sockets are quinn sockets, its time is tokio's paused clock: minutes of
//! loss, delay and partition pass in milliseconds, the same way for the same seed.

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use tokio::{
    sync::mpsc,
    time::{Duration, sleep},
};

/// What the network does to datagrams.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Share of datagrams that are lost, 0 to 1.
    pub(crate) loss: f64,
    /// Share of datagrams that arrive twice.
    pub(crate) duplicate: f64,
    /// Every datagram takes this long, and up to this much longer.
    pub(crate) delay: Duration,
    pub(crate) jitter: Duration,
    /// Nothing passes at all.
    pub(crate) cut: bool,
}

type Inbox = mpsc::UnboundedSender<(SocketAddr, Vec<u8>)>;

#[derive(Clone)]
pub(crate) struct Network(Arc<Mutex<State>>);

struct State {
    dice: u64,
    weather: Weather,
    /// Who listens where, and the how-manieth socket there it is.
    inboxes: HashMap<SocketAddr, (usize, Inbox)>,
}

impl Network {
    pub(crate) fn new(seed: u64, weather: Weather) -> Self {
        Self(Arc::new(Mutex::new(State {
            dice: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            weather,
            inboxes: HashMap::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics inside")
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Weather)) {
        change(&mut self.state().weather);
    }

    /// A socket on this address; an earlier one there is dead, as after a crash: it neither hears nor
    /// says anything more.
    pub(crate) fn socket(&self, addr: SocketAddr) -> Arc<dyn AsyncUdpSocket> {
        let (inbox, letters) = mpsc::unbounded_channel();
        let mut state = self.state();
        let life = state.inboxes.get(&addr).map_or(0, |(life, _)| life + 1);
        state.inboxes.insert(addr, (life, inbox));
        Arc::new(Socket {
            network: self.clone(),
            addr,
            life,
            letters: Mutex::new(letters),
        })
    }

    fn post(&self, life: usize, from: SocketAddr, to: SocketAddr, letter: &[u8]) {
        let mut state = self.state();
        let weather = state.weather;
        let dead = state.inboxes.get(&from).is_none_or(|(now, _)| *now != life);
        if dead || weather.cut || state.throw() < weather.loss {
            return;
        }
        let Some((_, inbox)) = state.inboxes.get(&to).cloned() else {
            return;
        };
        let copies = if state.throw() < weather.duplicate {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let (inbox, letter) = (inbox.clone(), letter.to_vec());
            let delay = weather.delay + weather.jitter.mul_f64(state.throw());
            tokio::spawn(async move {
                sleep(delay).await;
                inbox.send((from, letter)).ok();
            });
        }
    }
}

impl State {
    /// A number from 0 up to 1 (splitmix64, so that a seed means the same everywhere).
    fn throw(&mut self) -> f64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

struct Socket {
    network: Network,
    addr: SocketAddr,
    life: usize,
    letters: Mutex<mpsc::UnboundedReceiver<(SocketAddr, Vec<u8>)>>,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "simulated {}", self.addr)
    }
}

#[derive(Debug)]
struct NeverFull;

impl UdpPoller for NeverFull {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(NeverFull)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.network.post(
            self.life,
            self.addr,
            transmit.destination,
            transmit.contents,
        );
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [io::IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut letters = self.letters.lock().expect("no test panics inside");
        match letters.poll_recv(cx) {
            Poll::Ready(Some((addr, letter))) => {
                bufs[0][..letter.len()].copy_from_slice(&letter);
                meta[0] = RecvMeta {
                    addr,
                    len: letter.len(),
                    stride: letter.len(),
                    ..RecvMeta::default()
                };
                Poll::Ready(Ok(1))
            }
            // Silenced by a newer socket: nothing will ever come.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}
