//! Statistics: numbers of messages, attempts and received requests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ApplicationId, EndpointId, SourceId};

/// The length of the periods of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum StatisticsPeriod {
    /// One day, in UTC.
    OneDay,
    /// One hour.
    #[default]
    OneHour,
    /// Five minutes.
    FiveMinutes,
    /// One minute.
    OneMinute,
}

impl StatisticsPeriod {
    /// From the longest to the shortest.
    pub const ALL: [Self; 4] = [Self::OneDay, Self::OneHour, Self::FiveMinutes, Self::OneMinute];

    /// The period's name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneDay => "OneDay",
            Self::OneHour => "OneHour",
            Self::FiveMinutes => "FiveMinutes",
            Self::OneMinute => "OneMinute",
        }
    }
}

/// Numbers of one subject in one period. What does not apply to a subject is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StatisticsCountsOut {
    /// Messages that were accepted.
    pub accepted: u64,
    /// Messages that were accepted although no endpoint receives them.
    pub filtered: u64,
    /// Attempts that delivered their message.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Deliveries that failed because no attempt was left.
    pub given_up: u64,
    /// Attempts that failed, by cause: a class of statuses such as `5xx`, or why there was no
    /// response, such as `timeout`.
    pub causes: BTreeMap<String, u64>,
    /// Requests to sources that became messages.
    pub received: u64,
    /// Requests to sources that repeated an event.
    pub duplicates: u64,
    /// Requests to sources that were rejected.
    pub rejected: u64,
    /// How long attempts took.
    pub attempt_duration: LatencyOut,
    /// The time from the acceptance of a message to its delivery, for deliveries that were not
    /// requested by hand.
    pub time_to_delivery: LatencyOut,
}

/// Durations: their number, estimates of quantiles, and a histogram.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LatencyOut {
    /// The number of durations.
    pub count: u64,
    /// An estimate of the median in milliseconds; `null` if there are no durations.
    pub p50_ms: Option<u64>,
    /// An estimate of the 95th percentile in milliseconds.
    pub p95_ms: Option<u64>,
    /// An estimate of the 99th percentile in milliseconds.
    pub p99_ms: Option<u64>,
    /// The number of durations in each bucket, without empty ones. Each bucket ends at twice the
    /// duration at which the one before it ends.
    pub buckets: Vec<LatencyBucketOut>,
}

/// A bucket of durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LatencyBucketOut {
    /// Durations in the bucket are shorter than this many milliseconds.
    pub below_ms: u64,
    /// The number of durations in the bucket.
    pub count: u64,
}

/// The numbers of a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StatisticsPointOut {
    /// The start of the period.
    pub at: Timestamp,
    /// Its numbers.
    pub counts: StatisticsCountsOut,
}

/// Numbers over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StatisticsSeriesOut {
    /// The start of the first period.
    pub since: Timestamp,
    /// The end of the last period.
    pub until: Timestamp,
    /// The length of each period.
    pub period: StatisticsPeriod,
    /// The periods in which something was counted, from the oldest on.
    pub data: Vec<StatisticsPointOut>,
    /// The numbers of all periods together.
    pub total: StatisticsCountsOut,
}

/// An endpoint with failed attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WorstEndpointOut {
    /// The application that it belongs to.
    pub app_id: ApplicationId,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// Its URL; `null` if the endpoint was deleted.
    pub url: Option<String>,
    /// The most frequent cause, as in `counts.causes`.
    pub cause: String,
    /// What to do about it, for people.
    pub remedy: String,
    /// The numbers of the hours in which attempts failed.
    pub counts: StatisticsCountsOut,
}

/// The endpoints with the most failed attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WorstEndpointsOut {
    /// The start of the first hour.
    pub since: Timestamp,
    /// The end of the last hour.
    pub until: Timestamp,
    /// The endpoints, worst first.
    pub data: Vec<WorstEndpointOut>,
}

/// A source that rejected requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RejectingSourceOut {
    /// The source.
    pub source_id: SourceId,
    /// Its name; `null` if the source was deleted.
    pub name: Option<String>,
    /// The numbers of the hours in which requests were rejected.
    pub counts: StatisticsCountsOut,
}

/// The sources that rejected the most requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RejectingSourcesOut {
    /// The start of the first hour.
    pub since: Timestamp,
    /// The end of the last hour.
    pub until: Timestamp,
    /// The sources, worst first.
    pub data: Vec<RejectingSourceOut>,
}

/// The number of endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointCountOut {
    /// Endpoints that receive messages.
    pub active: u64,
    /// Endpoints that are disabled.
    pub disabled: u64,
}

/// The number of applications with an endpoint that receives messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ActiveAppCount {
    /// Their number.
    pub count: u64,
}

/// Numbers of an application's attempts in each period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AttemptStatisticsResponse {
    /// The start of the first period.
    pub start_date: Timestamp,
    /// The end of the last period.
    pub end_date: Timestamp,
    /// The length of each period.
    pub period: StatisticsPeriod,
    /// The numbers.
    pub data: AttemptStatisticsData,
}

/// Numbers of attempts, one for each period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AttemptStatisticsData {
    /// Attempts that delivered their message.
    pub success_count: Vec<u64>,
    /// Attempts that failed.
    pub failure_count: Vec<u64>,
    /// Always zero: an attempt is never cancelled.
    pub canceled_count: Vec<u64>,
}

/// Numbers of an application's attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppAttemptStatsOut {
    /// The numbers by event type.
    pub by_event_type: BTreeMap<String, AppAttemptEventTypeStats>,
    /// Attempts that delivered their message.
    pub total_success: u64,
    /// Attempts that failed.
    pub total_failure: u64,
    /// Always zero: an attempt is never cancelled.
    pub total_canceled: u64,
    /// The start of the time range.
    pub since: Timestamp,
    /// The end of the time range, exclusive.
    pub until: Timestamp,
}

/// Numbers of attempts for one event type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppAttemptEventTypeStats {
    /// Attempts that delivered their message.
    pub success: u64,
    /// Attempts that failed.
    pub failure: u64,
    /// Always zero: an attempt is never cancelled.
    pub canceled: u64,
}
