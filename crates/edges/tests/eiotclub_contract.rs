//! The EIOTCLUB door held against its published contract, on SQLite and on PostgreSQL.

#[path = "eiotclub/acts.rs"]
mod acts;
#[path = "eiotclub/answers.rs"]
mod answers;
#[path = "eiotclub/callers.rs"]
mod callers;
#[path = "eiotclub/calls.rs"]
mod calls;
#[path = "eiotclub/client.rs"]
mod client;
#[path = "eiotclub/cloudesim.rs"]
mod cloudesim;
#[path = "eiotclub/contract.rs"]
mod contract;
#[path = "eiotclub/esim.rs"]
mod esim;
#[path = "eiotclub/examples.rs"]
mod examples;
#[path = "eiotclub/figures.rs"]
mod figures;
#[path = "eiotclub/fired.rs"]
mod fired;
#[path = "eiotclub/goods.rs"]
mod goods;
#[path = "eiotclub/hostile.rs"]
mod hostile;
#[path = "eiotclub/imei.rs"]
mod imei;
#[path = "eiotclub/lists.rs"]
mod lists;
#[path = "eiotclub/notices.rs"]
mod notices;
#[path = "eiotclub/owners.rs"]
mod owners;
#[path = "eiotclub/pools.rs"]
mod pools;
#[path = "eiotclub/refusals.rs"]
mod refusals;
#[path = "eiotclub/replay.rs"]
mod replay;
#[path = "eiotclub/scene.rs"]
mod scene;
#[path = "eiotclub/transfers.rs"]
mod transfers;
