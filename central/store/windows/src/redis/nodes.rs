//! The links to all nodes, and which of them a key is written over.
//!
//! A slot has one owner at a time and a node one link, so a key is written over one connection only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::{Cmd, Pipeline, Value};
use arc_swap::ArcSwap;
use futures_util::future::join_all;
use goldentime_model::UnixNanos;
use goldentime_runtime::{TaskKind, Tasks};

use super::address::Address;
use super::common::Common;
use super::failure::{Failure, Redirect};
use super::keys;
use super::link::Link;
use super::slots::SlotMap;

/// How often a command follows its slot before it fails.
pub(super) const REDIRECTS_MAX: usize = 5;

/// The commands that one node is asked, by their number, and whether they need leave.
type Asked = (Arc<Link>, Vec<(usize, bool)>);

/// The nodes of a store.
pub(super) struct Nodes {
    pub(super) common: Arc<Common>,
    tasks: Tasks,
    seeds: Vec<Address>,
    slots: ArcSwap<SlotMap>,
    links: Mutex<HashMap<Address, Arc<Link>>>,
    /// Who owned slots when the cluster was last asked.
    owners: Mutex<Vec<Address>>,
}

impl Nodes {
    /// Begins to connect to the server, or to the nodes through which the others are found.
    pub(super) fn new(common: Arc<Common>, tasks: Tasks, seeds: Vec<Address>) -> Self {
        let slots = match &seeds[..] {
            [one] if !common.config.cluster => SlotMap::of_one(one.clone()),
            _ => SlotMap::default(),
        };
        let slots = ArcSwap::from_pointee(slots);
        let (links, owners) = (Mutex::default(), Mutex::default());
        let nodes = Self { common, tasks, seeds, slots, links, owners };
        for owner in nodes.slots.load().owners() {
            nodes.link(&owner);
        }
        nodes
    }

    /// The link to a node, made if there is none.
    pub(super) fn link(&self, address: &Address) -> Arc<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.get(address) {
            return Arc::clone(link);
        }
        let (link, run) = Link::new(address.clone(), Arc::clone(&self.common));
        self.tasks.spawn(TaskKind::Station, "redis", run);
        let link = Arc::new(link);
        links.insert(address.clone(), Arc::clone(&link));
        link
    }

    /// The link over which a key is read and written.
    pub(super) fn of_key(&self, key: &str) -> Result<Arc<Link>, Failure> {
        let slots = self.slots.load();
        slots.owner(keys::slot(key)).map(|owner| self.link(owner)).ok_or(Failure::Unrouted)
    }

    /// Every link in use.
    pub(super) fn links(&self) -> Vec<Arc<Link>> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.values().cloned().collect()
    }

    /// Since when a node has been away, and why; that of the node that has been for longest.
    pub(super) fn down(&self) -> Option<(UnixNanos, Failure)> {
        self.links().iter().filter_map(|link| link.down()).min_by_key(|(since, _)| *since)
    }

    /// Where a command for `key` goes next, after a node has said so. Notes it if it is for good.
    pub(super) fn follow(&self, key: &str, redirect: &Redirect) -> Arc<Link> {
        if !redirect.ask {
            let slot = keys::slot(key);
            self.slots.rcu(|slots| slots.moved(slot, redirect.to.clone()));
            self.common.changed.notify_one();
        }
        self.link(&redirect.to)
    }

    /// Sends commands, each with the key that it is about, in one round trip to each node, and gives each
    /// one's answer. Follows slots. In no order with what is written by links.
    pub(super) async fn ask(&self, commands: Vec<(&str, Cmd)>) -> Result<Vec<Value>, Failure> {
        let mut answers: Vec<Option<Value>> = vec![None; commands.len()];
        let mut todo: Vec<(usize, Arc<Link>, bool)> = Vec::with_capacity(commands.len());
        for (at, (key, _)) in commands.iter().enumerate() {
            todo.push((at, self.of_key(key)?, false));
        }
        let mut failure = None;
        for _ in 0..=REDIRECTS_MAX {
            let mut by_node: HashMap<Address, Asked> = HashMap::new();
            for (at, link, asking) in todo.drain(..) {
                let node = by_node.entry(link.address().clone()).or_insert_with(|| (link, Vec::new()));
                node.1.push((at, asking));
            }
            let asked = join_all(by_node.into_values().map(|(link, parts)| {
                let mut pipeline = Pipeline::new();
                for (at, asking) in &parts {
                    if *asking {
                        pipeline.cmd("ASKING");
                    }
                    pipeline.add_command(commands[*at].1.clone());
                }
                async move { (link.ask(&pipeline).await, link, parts) }
            }));
            for (given, link, parts) in asked.await {
                let mut given = given?.into_iter();
                for (at, asking) in parts {
                    let answer = given.nth(usize::from(asking)).unwrap_or(Value::Nil);
                    let Value::ServerError(error) = &answer else {
                        answers[at] = Some(answer);
                        continue;
                    };
                    match Failure::of_answer(link.address(), error) {
                        Failure::Moved(redirect) => {
                            todo.push((at, self.follow(commands[at].0, &redirect), redirect.ask));
                            failure = Some(Failure::Moved(redirect));
                        }
                        // The caller knows what stands under its key.
                        _ if error.code() == "WRONGTYPE" => answers[at] = Some(answer),
                        failure => return Err(failure),
                    }
                }
            }
            if todo.is_empty() {
                return Ok(answers.into_iter().map(Option::unwrap_or_default).collect());
            }
        }
        Err(failure.unwrap_or(Failure::Unrouted))
    }

    /// Asks the cluster who owns what, and lets go of nodes that own nothing.
    pub(super) async fn refresh(&self) {
        if !self.common.config.cluster {
            return;
        }
        let mut pipeline = Pipeline::new();
        pipeline.cmd("CLUSTER").arg("SLOTS");
        let connected = self.links().into_iter().filter(|link| link.down().is_none());
        let mut map = SlotMap::default();
        for link in connected {
            if let Ok(answers) = link.ask(&pipeline).await
                && let Some(answer) = answers.first()
            {
                map = SlotMap::parse(answer, link.address());
            }
            if map != SlotMap::default() {
                break;
            }
        }
        if map == SlotMap::default() {
            // Links to the seeds stay until one of them has told who the others are.
            self.seeds.iter().for_each(|seed| drop(self.link(seed)));
            return;
        }
        let owners = map.owners();
        let before = {
            let mut known = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *known, owners.clone())
        };
        // A replica that took over may lag behind what its master had said.
        if !before.is_empty() && owners.iter().any(|owner| !before.contains(owner)) {
            self.common.restarted();
        }
        self.slots.store(Arc::new(map));
        owners.iter().for_each(|owner| drop(self.link(owner)));
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|address, _| owners.contains(address));
    }
}
