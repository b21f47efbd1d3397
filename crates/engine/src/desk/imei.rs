//! IMEI groups as the doors see them; the same request again gets the same answer.

use super::Engine;
use crate::act::{Actor, Once, RequestKey};
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::imei;
use kachi_domain::Iccid;
use kachi_domain::ids::Imei;
use std::sync::Arc;

impl Engine {
    /// Unlocks a card that was seen outside its IMEI group; `render` is told how often that was done this month.
    pub async fn unlock_imei(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        iccid: Iccid,
        render: impl Fn(&i64) -> String + Send + 'static,
    ) -> Result<Once> {
        self.command(catalogue, actor, key, move |tx, c, how, actor| imei::unlock(tx, c, how, actor, &iccid), render).await
    }

    /// Adds a device to an IMEI group.
    pub async fn add_imei(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        (group, imei): (i64, Imei),
        render: impl Fn(&()) -> String + Send + 'static,
    ) -> Result<Once> {
        self.command(catalogue, actor, key, move |tx, _, _, actor| imei::add_imei(tx, actor, group, &imei), render).await
    }

    /// Binds a card to one device.
    pub async fn bind_device(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        (iccid, imei): (Iccid, Imei),
        render: impl Fn(&()) -> String + Send + 'static,
    ) -> Result<Once> {
        self.command(catalogue, actor, key, move |tx, c, how, actor| imei::bind(tx, c, how, actor, (&iccid, &imei)), render).await
    }

    /// Frees a card from the device it is bound to.
    pub async fn unbind_device(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        iccid: Iccid,
        render: impl Fn(&()) -> String + Send + 'static,
    ) -> Result<Once> {
        self.command(catalogue, actor, key, move |tx, c, how, actor| imei::unbind(tx, c, how, actor, &iccid), render).await
    }
}
