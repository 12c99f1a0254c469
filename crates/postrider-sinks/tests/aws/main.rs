//! Endpoints and queue sources of Amazon's services, against services that behave like them: moto
//! for SQS and SNS, `SeaweedFS` for S3. moto checks neither signatures nor permissions, so what the
//! services say then comes from a stand-in.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod fixtures;
mod moto;
mod proxy;
mod s3;
mod sns;
mod sqs;
mod sqs_queue;
