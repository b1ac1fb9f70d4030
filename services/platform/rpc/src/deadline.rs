//! The caller's deadline for answers that come one after the other: no more work is begun once it has passed.

use futures::stream::{Stream, StreamExt as _};
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::Refusal;
use crate::calls::timeout;

/// Ends a stream of answers when the time is over that its caller gave it (`grpc-timeout`), and says so; without such a time it
/// goes on to its end.
pub fn within_deadline<T, S>(metadata: &MetadataMap, answers: S) -> impl Stream<Item = S::Item> + use<T, S>
where
    S: Stream<Item = Result<T, Status>>,
{
    let patience = metadata.get("grpc-timeout").and_then(|value| timeout(value.to_str().ok()?));
    let deadline = patience.map(|patience| Instant::now() + patience);
    futures::stream::unfold(Some(Box::pin(answers)), move |answers| async move {
        let mut answers = answers?;
        let next = match deadline {
            Some(deadline) => timeout_at(deadline, answers.next()).await,
            None => Ok(answers.next().await),
        };
        match next {
            Ok(answer) => Some((answer?, Some(answers))),
            Err(_) => Some((Err(Refusal::deadline_exceeded().into()), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::stream;

    use super::*;

    fn metadata(timeout: &'static str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", timeout.parse().unwrap());
        metadata
    }

    #[tokio::test]
    async fn what_comes_in_time_is_answered_and_then_the_caller_hears_that_it_is_over() {
        let answers = stream::iter([Ok(1), Ok(2)]).chain(stream::once(pending()));
        let told: Vec<Result<i32, Status>> = within_deadline(&metadata("20m"), answers).collect().await;
        let [Ok(1), Ok(2), Err(over)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(Refusal::from_status(over).reason, crate::DEADLINE_EXCEEDED);
    }

    #[tokio::test]
    async fn without_a_deadline_everything_is_answered() {
        for metadata in [MetadataMap::new(), metadata("1H")] {
            let told: Vec<_> =
                within_deadline(&metadata, stream::iter([Ok(1), Ok(2)])).map(Result::unwrap).collect().await;
            assert_eq!(told, [1, 2]);
        }
    }
}
