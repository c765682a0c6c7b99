// A deployment to try things: the smallest that works, on the public network.
using 'main.bicep'

param name = 'ticket-engine-dev'

param tags = {
  environment: 'development'
}

// infra/deploy names the person who deploys, so that ticket-engine works for them at once.
var deployer = readEnvironmentVariable('DEPLOYER_OBJECT_ID', '')

param operators = empty(deployer)
  ? []
  : [
      {
        principalId: deployer
        principalType: 'User'
      }
    ]
