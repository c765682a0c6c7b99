// A deployment for work: storage, Key Vault and telemetry in a private network, copies in three zones.
using 'main.bicep'

param name = 'ticket-engine'

param tags = {
  environment: 'production'
}

param privateNetworking = true

param storageSku = 'Standard_ZRS'

param logRetentionDays = 90

// The group that runs ticket-engine, by its object id: az ad group show --group NAME --query id
param operators = [
  {
    principalId: '00000000-0000-0000-0000-000000000000'
    principalType: 'Group'
  }
]

param alertEmails = [
  'operators@example.com'
]
