// The way in for `azd up`: the resource group, and in it what infra/main.bicep describes.

targetScope = 'subscription'

@description('The name of the azd environment.')
@minLength(2)
@maxLength(30)
param environmentName string

param location string

@description('Who runs azd; becomes an operator.')
param principalId string = ''

@description('What principalId is.')
param principalType 'ServicePrincipal' | 'User' = 'User'

@description('The console\'s app registration (infra/entra); empty leaves the console closed.')
param consoleClientId string = ''

@description('Keeps storage, Key Vault and telemetry off the internet.')
param privateNetworking bool = false

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: {
    'azd-env-name': environmentName
  }
}

module ticketEngine '../main.bicep' = {
  // infra/verify and infra/entra/register find the outputs by this name.
  #disable-next-line no-module-name // see above
  name: 'ticket-engine'
  scope: group
  params: {
    name: environmentName
    location: location
    tags: {
      'azd-env-name': environmentName
    }
    privateNetworking: privateNetworking
    consoleClientId: consoleClientId
    operators: empty(principalId)
      ? []
      : [
          {
            principalId: principalId
            principalType: principalType
          }
        ]
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output SITE_URL string = ticketEngine.outputs.siteUrl
output STORAGE_TABLES_URL string = ticketEngine.outputs.STORAGE_TABLES_URL
output STORAGE_BLOBS_URL string = ticketEngine.outputs.STORAGE_BLOBS_URL
output KEY_VAULT_URL string = ticketEngine.outputs.KEY_VAULT_URL
