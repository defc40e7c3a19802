//! Transfers that share a thread: where there are many, waking one thread after the other would cost more than the work.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;

use super::session::{STACK, Session};

/// How exact the timers of these transfers are: none is looked at more often.
const TICK: Duration = Duration::from_millis(5);
/// Sockets that are dealt with at a time.
const MAX_EVENTS: usize = 64;
/// What the event of the queue is known by; transfers count from 0.
const QUEUE: u64 = u64::MAX;

/// Called with whether the client has the file.
pub(super) type Ended = Box<dyn FnOnce(bool) + Send>;

/// What the thread is handed.
enum Order {
    /// A transfer, and the number that its socket's events have.
    Serve(u64, Box<Session>, Ended),
    /// Nothing comes any more.
    End,
}

/// A thread that serves transfers until this is dropped and they have ended.
#[derive(Debug)]
pub(super) struct SharedThread {
    queue: Sender<Order>,
    /// Told that there is something in the queue.
    wake: Arc<OwnedFd>,
    epoll: Arc<OwnedFd>,
    next: AtomicU64,
}

impl SharedThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's, if it has no more threads or descriptors.
    pub(super) fn start() -> io::Result<Self> {
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(QUEUE), epoll::EventFlags::IN)?;
        let (queue, orders) = mpsc::channel();
        let transfers = Transfers {
            epoll: Arc::clone(&epoll),
            wake: Arc::clone(&wake),
            orders,
            ends: false,
            running: HashMap::new(),
            ticked: Instant::now(),
        };
        let builder = std::thread::Builder::new().name("tftp".to_owned()).stack_size(STACK);
        builder.spawn(move || transfers.run())?;
        Ok(Self { queue, wake, epoll, next: AtomicU64::new(0) })
    }

    /// Gets ready for a transfer; returns its number for [`SharedThread::serve`].
    ///
    /// # Errors
    /// The system's, if it watches no more sockets.
    pub(super) fn register(&self, session: &Session) -> io::Result<u64> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        epoll::add(&self.epoll, session, epoll::EventData::new_u64(number), epoll::EventFlags::IN)?;
        Ok(number)
    }

    /// Serves a transfer that was registered as `number`.
    pub(super) fn serve(&self, number: u64, session: Session, ended: Ended) {
        self.order(Order::Serve(number, Box::new(session), ended));
    }

    fn order(&self, order: Order) {
        // Of a thread that has panicked nobody hears that a transfer went well.
        let _ = self.queue.send(order);
        // It fails only where the thread was woken very often, and has not looked yet.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

impl Drop for SharedThread {
    fn drop(&mut self) {
        self.order(Order::End);
    }
}

/// The thread's side.
struct Transfers {
    epoll: Arc<OwnedFd>,
    wake: Arc<OwnedFd>,
    orders: Receiver<Order>,
    /// No order comes any more.
    ends: bool,
    running: HashMap<u64, (Box<Session>, Ended)>,
    /// When all timers were looked at last.
    ticked: Instant,
}

impl Transfers {
    fn run(mut self) {
        let mut events = Vec::with_capacity(MAX_EVENTS);
        while !self.ends || !self.running.is_empty() {
            let tick = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
            let timeout = (!self.running.is_empty()).then_some(&tick);
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout) {
                Ok(_) | Err(Errno::INTR) => {}
                // Never, with such arguments; all transfers end with the thread.
                Err(_) => return,
            }
            let now = Instant::now();
            for event in events.drain(..) {
                let data = event.data;
                match data.u64() {
                    QUEUE => self.take_orders(),
                    number => self.step(number, |session| session.receive(now)),
                }
            }
            if now.duration_since(self.ticked) >= TICK {
                self.ticked = now;
                let all: Vec<u64> = self.running.keys().copied().collect();
                all.into_iter().for_each(|number| self.step(number, |session| session.handle_timeout(now)));
            }
        }
    }

    fn take_orders(&mut self) {
        // Before the queue is looked at: what comes behind that wakes the thread again.
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Serve(number, session, ended) => {
                    session.begin();
                    self.running.insert(number, (session, ended));
                    self.step(number, |_| ());
                }
                Order::End => self.ends = true,
            }
        }
    }

    /// Lets something happen to a transfer, sends what is due, and takes leave of it if it is over.
    fn step(&mut self, number: u64, happens: impl FnOnce(&mut Session)) {
        let Some((session, _)) = self.running.get_mut(&number) else { return };
        happens(session);
        if session.is_going_on() {
            return;
        }
        if let Some((session, ended)) = self.running.remove(&number) {
            // Others may hold the socket for a while: it must not wake this thread. What cannot be taken out, is not in.
            let _ = epoll::delete(&self.epoll, &*session);
            ended(session.finish());
        }
    }
}
