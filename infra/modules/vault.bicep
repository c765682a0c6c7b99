// The Key Vault that keeps refresh tokens, client secrets and certificates: roles decide, nothing can be purged.

import { tagsType } from 'types.bicep'

@minLength(3)
@maxLength(24)
param name string

param location string

param tags tagsType

@description('Brings a vault of this name back that was deleted, with the secrets in it.')
param recover bool

param workspaceName string

@description('The network for the private endpoint; null leaves the vault on the public network.')
param networkName string?

var private = networkName != null

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    createMode: recover ? 'recover' : 'default'
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: private ? 'Deny' : 'Allow'
    }
  }
}

#disable-next-line use-recent-api-versions // the newest stable version, of 2016, knows no category groups
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: vault
  properties: {
    workspaceId: workspace.id
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

module endpoint 'private-endpoint.bicep' = if (private) {
  params: {
    name: 'pe-${name}'
    location: location
    tags: tags
    networkName: networkName!
    resourceId: vault.id
    groupId: 'vault'
  }
}

output uri string = vault.properties.vaultUri
