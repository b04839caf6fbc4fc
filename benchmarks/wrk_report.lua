-- One line of JSON at the end of a run of wrk.
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('{"requests": %d, "microseconds": %d, "failed": %d}\n', summary.requests, summary.duration, failed))
end
