-- Days of services: the state in each region, hour by hour.

local function serviceDay(day)
  return ROOT .. 'services:' .. text(day)
end

function steps.putServiceDay()
  local key = serviceDay(numberArg('day'))
  for index = 1, numberArg('count') do
    write('HSET', key, args['series' .. index], args['hours' .. index])
  end
  write('PEXPIRE', key, args.keepMs)
  write('UNLINK', serviceDay(numberArg('firstDay') - 1))
  return done(1)
end

function steps.readServiceDays()
  local list = {}
  for day = numberArg('firstDay'), numberArg('lastDay') do
    local fields = call('HGETALL', serviceDay(day))
    if #fields > 0 then list[#list + 1] = { 'day', day, 'fields', fields } end
  end
  return { 'read', list }
end
