-- prune.distributed: this process as one of several that work together.
local prune, internals = ...

prune.rank, prune.size = 0, 1

--- Only the first rank prints and shows progress; what the others print is the same.
local function silence()
  if prune.rank == 0 then return end
  internals.is_silent = true
  print = function() end
end

function prune.distributed(options)
  prune.rank, prune.size = internals.open_communicator(options or {})
  silence()
  return prune.rank, prune.size
end

--- Ends all ranks after an error of this one. One message is enough: the first rank's, or that of another that alone has the
--- error, which is so when the first has not ended all a moment later. Whom another rank stopped waits longest.
function internals.fail_together(status, complain, problem)
  if prune.size > 1 then
    local was_stopped = type(problem) == "table" and problem.code == "cancelled"
    internals.wait(was_stopped and 3 or prune.rank > 0 and 1 or 0)
  end
  complain()
  internals.abort(status)
end
