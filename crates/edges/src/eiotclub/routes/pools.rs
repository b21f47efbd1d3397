//! Pools (EIOTCLUB v3, chapter "pool"): their types, pools, their packages, their cards.

use super::{Ask, text};
use crate::eiotclub::errors::{self, No};
use crate::eiotclub::routes::{OUT_TRADE_NO_CHARS_MAX, Operation, is_nameable};
use crate::eiotclub::wire::{self, pools as lines};
use kachi_dialects::eiotclub::codes;
use kachi_domain::order::Channel;
use kachi_domain::{Iccid, PoolId};
use kachi_engine::Once;
use kachi_engine::pools::{Create, PoolAct, Subscribe, Which};
use std::collections::HashSet;

/// Characters of a pool's note.
const MEMO_CHARS_MAX: usize = 200;
/// Records of one page, as published.
const RECORDS_MAX: i64 = 1000;

impl Ask<'_> {
    pub(super) async fn pool_types(&self) -> Result<String, No> {
        let fields = self.fields();
        let iccid = match fields.text("iccid", codes::ICCID_MALFORMED)? {
            Some(text) => Some(Iccid::parse(&text).map_err(|_| No::Code(codes::ICCID_MALFORMED))?),
            None => None,
        };
        let pool = fields.number("pool_object_id", errors::POOL_UNKNOWN)?.map(PoolId);
        let offers = self.door.engine.pool_offers(self.catalogue, &self.caller.actor, (iccid, pool)).await?;
        let list = offers.iter().filter_map(|o| lines::TypeLine::of(self.catalogue, o)).collect();
        Ok(wire::good(self.caller.language, &lines::List { list }))
    }

    pub(super) async fn pool_create(&self) -> Result<String, No> {
        let type_code = self.pool_type_code()?;
        let memo = self.fields().text("memo", codes::PARAMETER_WRONG)?.unwrap_or_default().into_owned();
        if memo.chars().count() > MEMO_CHARS_MAX {
            return Err(No::Code(codes::PARAMETER_WRONG));
        }
        let (key, language) = (self.key(Operation::PoolCreate), self.caller.language);
        let render = move |id: &PoolId| wire::good(language, &lines::PoolName { pool_object_id: id.0 });
        let cmd = Create { type_code, memo, ..Create::default() };
        Ok(text(self.door.engine.pool_create(self.catalogue, &self.caller.actor, key, cmd, render).await?))
    }

    pub(super) async fn pool_list(&self) -> Result<String, No> {
        let fields = self.fields();
        let ids = fields.numbers("pool_object_id_arr", errors::POOL_UNKNOWN)?;
        let memo = fields.text("memo", codes::PARAMETER_WRONG)?.map(std::borrow::Cow::into_owned);
        let (views, now) = self.door.engine.pool_list(self.catalogue, &self.caller.actor, (ids, memo)).await?;
        let list = views.iter().map(|v| lines::PoolLine::of(v, now)).collect();
        Ok(wire::good(self.caller.language, &lines::List { list }))
    }

    pub(super) async fn pool_delete(&self) -> Result<String, No> {
        self.pool_act(Operation::PoolDelete, PoolAct::Delete).await
    }

    pub(super) async fn pool_subscribe(&self) -> Result<String, No> {
        let (pool, type_code) = (self.pool_id()?, self.pool_type_code()?);
        let out_trade_no = self.pool_out_trade_no()?.filter(|number| is_nameable(number));
        let Some(out_trade_no) = out_trade_no else { return Err(No::Code(codes::OUT_TRADE_NO_MALFORMED)) };
        let number = (self.door.settings.order_number)();
        let cmd = Subscribe { pool, type_code, out_trade_no, channel: Channel::Api, number };
        let (key, language) = (self.key(Operation::PoolSubscribe), self.caller.language);
        let render =
            move |placed: &kachi_engine::orders::Placed| wire::good(language, &lines::OrderNo { order_no: &placed.number });
        let bought = self.door.engine.pool_subscribe(self.catalogue, &self.caller.actor, key, cmd, render).await;
        match bought.map_err(No::from) {
            Err(No::Exists { number, .. }) => {
                let data = serde_json::to_value(lines::OrderNo { order_no: &number }).unwrap_or_default();
                Err(No::Told { code: codes::OUT_TRADE_NO_EXISTS, data })
            }
            other => Ok(text(other?)),
        }
    }

    pub(super) async fn pool_records(&self) -> Result<String, No> {
        let (pool, filter) = (self.pool_id()?, Filter::read(self)?);
        let (offset, size) = self.pool_page()?;
        let records = self.door.engine.pool_records(self.catalogue, &self.caller.actor, pool).await?;
        let all = records.iter().map(|r| lines::RecordLine::of(self.catalogue, r));
        let list = all.filter(|line| filter.lets_through(line)).skip(offset).take(size).collect();
        Ok(wire::good(self.caller.language, &lines::List { list }))
    }

    pub(super) async fn pool_unsubscribe(&self) -> Result<String, No> {
        let number = self.fields().text("order_no", codes::ORDER_ID_MALFORMED)?.map(std::borrow::Cow::into_owned);
        let which = Which { number, out_trade_no: self.pool_out_trade_no()? };
        if which.number.is_none() && which.out_trade_no.is_none() {
            return Err(No::Code(codes::ORDER_ID_MALFORMED));
        }
        self.pool_act(Operation::PoolUnsubscribe, PoolAct::Unsubscribe(which)).await
    }

    pub(super) async fn pool_addable(&self) -> Result<String, No> {
        let (pool, iccids) = (self.pool_id()?, self.pool_iccids()?);
        let found = self.door.engine.pool_addable(self.catalogue, &self.caller.actor, (pool, iccids)).await?;
        let list = found.into_iter().map(|iccid| lines::CardName { iccid }).collect();
        Ok(wire::good(self.caller.language, &lines::List { list }))
    }

    pub(super) async fn pool_add(&self) -> Result<String, No> {
        let iccids = self.pool_iccids()?;
        self.pool_act(Operation::PoolAdd, PoolAct::Add(iccids)).await
    }

    pub(super) async fn pool_members(&self) -> Result<String, No> {
        let members = self.door.engine.pool_members(self.catalogue, &self.caller.actor, self.pool_id()?).await?;
        let list = members.into_iter().map(|(iccid, at)| lines::MemberLine { iccid, create_at: at.0 }).collect();
        Ok(wire::good(self.caller.language, &lines::List { list }))
    }

    pub(super) async fn pool_remove(&self) -> Result<String, No> {
        let iccids = self.pool_iccids()?;
        self.pool_act(Operation::PoolRemove, PoolAct::Remove(iccids)).await
    }

    pub(super) async fn pool_of_card(&self) -> Result<String, No> {
        let iccid = self.fields().iccid()?;
        let pool = self.door.engine.pool_of_card(self.catalogue, &self.caller.actor, &iccid).await?;
        Ok(wire::good(self.caller.language, &lines::PoolName { pool_object_id: pool.map_or(0, |p| p.0) }))
    }

    async fn pool_act(&self, operation: Operation, act: PoolAct) -> Result<String, No> {
        let (id, language) = (self.pool_id()?, self.caller.language);
        let key = self.key(operation);
        let render = move |(): &()| wire::good(language, &wire::Nothing {});
        let done: Once = self.door.engine.pool_act(self.catalogue, &self.caller.actor, key, (id, act), render).await?;
        Ok(text(done))
    }

    fn pool_id(&self) -> Result<PoolId, No> {
        let id = self.fields().number("pool_object_id", errors::POOL_UNKNOWN)?;
        id.map(PoolId).ok_or(No::Code(errors::POOL_UNKNOWN))
    }

    fn pool_type_code(&self) -> Result<String, No> {
        Ok(self.fields().required("pool_type_code", errors::PACKAGE_CODE_WRONG)?.into_owned())
    }

    fn pool_out_trade_no(&self) -> Result<Option<String>, No> {
        let wrong = codes::OUT_TRADE_NO_MALFORMED;
        let text = self.fields().text("out_trade_no", wrong)?;
        match text.filter(|t| !t.trim().is_empty()) {
            Some(t) if t.chars().count() > OUT_TRADE_NO_CHARS_MAX => Err(No::Code(wrong)),
            other => Ok(other.map(std::borrow::Cow::into_owned)),
        }
    }

    fn pool_iccids(&self) -> Result<Vec<Iccid>, No> {
        let iccids = self.fields().iccid_list("iccid_arr", self.door.settings.iccids_max, errors::ICCID_OF_LIST_WRONG)?;
        iccids.ok_or(No::Code(errors::ICCIDS_WRONG))
    }

    /// Records to pass over and records at most; both fields must be there.
    fn pool_page(&self) -> Result<(usize, usize), No> {
        let fields = self.fields();
        let page = fields.number("page", errors::PAGE_NUMBER_WRONG)?.filter(|n| *n >= 1);
        let page = page.ok_or(No::Code(errors::PAGE_NUMBER_WRONG))?;
        let size = fields.number("page_size", errors::PAGE_SIZE_WRONG)?.filter(|n| (1..=RECORDS_MAX).contains(n));
        let size = size.ok_or(No::Code(errors::PAGE_SIZE_WRONG))?;
        Ok((usize::try_from((page - 1).saturating_mul(size)).unwrap_or(usize::MAX), usize::try_from(size).unwrap_or(0)))
    }
}

/// Which records of a pool are wanted; every filter given narrows.
struct Filter {
    texts: [Option<HashSet<String>>; 3],
    states: Option<HashSet<i64>>,
    times: [[Option<i64>; 2]; 3],
}

impl Filter {
    fn read(ask: &Ask<'_>) -> Result<Filter, No> {
        let fields = ask.fields();
        let list = |name, code| -> Result<Option<HashSet<String>>, No> {
            Ok(fields.text(name, code)?.map(|t| t.split(',').map(|part| part.trim().to_owned()).collect()))
        };
        let time = |name| fields.number(name, errors::TIME_WRONG);
        let states = list("status_code_arr", codes::PARAMETER_WRONG)?
            .map(|l| l.iter().map(|s| s.parse().map_err(|_| No::Code(codes::PARAMETER_WRONG))).collect::<Result<_, _>>());
        Ok(Filter {
            texts: [
                list("order_no_arr", codes::ORDER_ID_MALFORMED)?,
                list("out_trade_no_arr", codes::OUT_TRADE_NO_MALFORMED)?,
                list("pool_type_code_arr", errors::PACKAGE_CODE_WRONG)?,
            ],
            states: states.transpose()?,
            times: [
                [time("create_at_start")?, time("create_at_end")?],
                [time("active_timestamp_start")?, time("active_timestamp_end")?],
                [time("expire_timestamp_start")?, time("expire_timestamp_end")?],
            ],
        })
    }

    fn lets_through(&self, line: &lines::RecordLine<'_>) -> bool {
        // What has not come yet is written as 0, and lies within no bounds.
        let within = |[from, to]: &[Option<i64>; 2], at: i64| match (from, to) {
            (None, None) => true,
            _ => at != 0 && from.is_none_or(|f| f <= at) && to.is_none_or(|t| at <= t),
        };
        let texts = [line.order_no, line.out_trade_no, line.pool_type_code];
        let times = [line.create_at, line.active_timestamp, line.expire_timestamp];
        self.texts.iter().zip(texts).all(|(wanted, is)| wanted.as_ref().is_none_or(|w| w.contains(is)))
            && self.times.iter().zip(times).all(|(wanted, is)| within(wanted, is))
            && self.states.as_ref().is_none_or(|s| s.contains(&line.status_code))
    }
}
