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

/// The treatment of datagrams.
#[derive(Clone, Copy, Default)]
pub(crate) struct Conditions {
    /// Share of datagrams that are lost, 0 to 1.
    pub(crate) loss: f64,
    /// Share of datagrams that arrive twice.
    pub(crate) duplicate: f64,
    /// Every datagram takes this long, and up to this much longer.
    pub(crate) delay: Duration,
    pub(crate) jitter: Duration,
    /// No datagram arrives.
    pub(crate) partitioned: bool,
}

type Inbox = mpsc::UnboundedSender<(SocketAddr, Vec<u8>)>;

#[derive(Clone)]
pub(crate) struct Network(Arc<Mutex<State>>);

struct State {
    rng: u64,
    conditions: Conditions,
    /// The inbox of each address, and the generation of its socket.
    inboxes: HashMap<SocketAddr, (usize, Inbox)>,
}

impl Network {
    pub(crate) fn new(seed: u64, conditions: Conditions) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            conditions,
            inboxes: HashMap::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics inside")
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut self.state().conditions);
    }

    /// Binds a socket to this address. An earlier one there is dead, as after a crash: it neither receives
    /// nor sends any more.
    pub(crate) fn socket(&self, addr: SocketAddr) -> Arc<dyn AsyncUdpSocket> {
        let (inbox, datagrams) = mpsc::unbounded_channel();
        let mut state = self.state();
        let generation = state
            .inboxes
            .get(&addr)
            .map_or(0, |(generation, _)| generation + 1);
        state.inboxes.insert(addr, (generation, inbox));
        Arc::new(Socket {
            network: self.clone(),
            addr,
            generation,
            datagrams: Mutex::new(datagrams),
        })
    }

    fn deliver(&self, generation: usize, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        let mut state = self.state();
        let conditions = state.conditions;
        let dead = state
            .inboxes
            .get(&from)
            .is_none_or(|(now, _)| *now != generation);
        if dead || conditions.partitioned || state.next_f64() < conditions.loss {
            return;
        }
        let Some((_, inbox)) = state.inboxes.get(&to).cloned() else {
            return;
        };
        let copies = if state.next_f64() < conditions.duplicate {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let (inbox, datagram) = (inbox.clone(), datagram.to_vec());
            let delay = conditions.delay + conditions.jitter.mul_f64(state.next_f64());
            tokio::spawn(async move {
                sleep(delay).await;
                inbox.send((from, datagram)).ok();
            });
        }
    }
}

impl State {
    /// A number from 0 up to 1 (splitmix64, so that a seed means the same everywhere).
    fn next_f64(&mut self) -> f64 {
        self.rng = self.rng.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.rng;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

struct Socket {
    network: Network,
    addr: SocketAddr,
    generation: usize,
    datagrams: Mutex<mpsc::UnboundedReceiver<(SocketAddr, Vec<u8>)>>,
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
        self.network.deliver(
            self.generation,
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
        let mut datagrams = self.datagrams.lock().expect("no test panics inside");
        match datagrams.poll_recv(cx) {
            Poll::Ready(Some((addr, datagram))) => {
                bufs[0][..datagram.len()].copy_from_slice(&datagram);
                meta[0] = RecvMeta {
                    addr,
                    len: datagram.len(),
                    stride: datagram.len(),
                    ..RecvMeta::default()
                };
                Poll::Ready(Ok(1))
            }
            // Replaced by a newer socket: nothing will arrive.
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
