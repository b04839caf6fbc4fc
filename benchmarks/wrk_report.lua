-- Asks with each of the bearer tokens that are given after `--` in turn; one line of JSON at the end of a run of wrk.
local requests, number = {}, 0

function init(tokens)
  for index, token in ipairs(tokens) do
    local headers = {Authorization = "Bearer " .. token}
    requests[index] = wrk.format(nil, nil, headers)
  end
end

function request()
  if #requests == 0 then
    return wrk.format()
  end
  number = number % #requests + 1
  return requests[number]
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('{"requests": %d, "microseconds": %d, "failed": %d}\n', summary.requests, summary.duration, failed))
end
