// A storage account without keys: its tables, queues and containers, its logs, and its private endpoints.

import { tagsType } from 'types.bicep'

@minLength(3)
@maxLength(24)
param name string

param location string

param tags tagsType

param skuName 'Standard_GRS' | 'Standard_GZRS' | 'Standard_LRS' | 'Standard_ZRS'

param tables string[] = []

param queues string[] = []

param containers string[]

@description('Days that deleted blobs and containers can be brought back.')
param softDeleteDays int

@description('Whether earlier versions of blobs are kept, for as long as deleted ones.')
param versioning bool = false

@description('After so many days blobs move to the cool tier; 0 leaves them.')
param coolAfterDays int = 0

@description('After so many days blobs are deleted; 0 keeps them.')
param deleteAfterDays int = 0

@description('What is logged of requests to blobs; changes are the least.')
param blobLogs ('StorageRead' | 'StorageWrite' | 'StorageDelete')[]

param workspaceName string

@description('The network for private endpoints; null leaves the account on the public network.')
param networkName string?

var private = networkName != null
// Only what is used gets an endpoint.
var services = concat(['blob'], empty(queues) ? [] : ['queue'], ['table'])

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: skuName
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    allowedCopyScope: 'AAD'
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    // Flex Consumption without a network comes from addresses that no firewall rule can name.
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: private ? 'Deny' : 'Allow'
    }
    encryption: {
      keySource: 'Microsoft.Storage'
      requireInfrastructureEncryption: true
      services: {
        blob: {
          enabled: true
          keyType: 'Account'
        }
        queue: {
          enabled: true
          keyType: 'Account'
        }
        table: {
          enabled: true
          keyType: 'Account'
        }
      }
    }
  }

  resource blobService 'blobServices' = {
    name: 'default'
    properties: {
      isVersioningEnabled: versioning
      deleteRetentionPolicy: {
        enabled: true
        days: softDeleteDays
      }
      containerDeleteRetentionPolicy: {
        enabled: true
        days: softDeleteDays
      }
    }

    resource blobContainers 'containers' = [
      for container in containers: {
        name: container
        properties: {
          publicAccess: 'None'
        }
      }
    ]
  }

  resource queueService 'queueServices' = {
    name: 'default'

    resource storageQueues 'queues' = [
      for queue in queues: {
        name: queue
      }
    ]
  }

  resource tableService 'tableServices' = {
    name: 'default'

    resource storageTables 'tables' = [
      for table in tables: {
        name: table
      }
    ]
  }

  resource lifecycle 'managementPolicies' = if (versioning || coolAfterDays > 0 || deleteAfterDays > 0) {
    name: 'default'
    properties: {
      policy: {
        rules: [
          {
            name: 'age'
            type: 'Lifecycle'
            definition: {
              filters: {
                blobTypes: [
                  'blockBlob'
                ]
              }
              actions: {
                baseBlob: union(
                  coolAfterDays > 0 ? { tierToCool: { daysAfterModificationGreaterThan: coolAfterDays } } : {},
                  deleteAfterDays > 0 ? { delete: { daysAfterModificationGreaterThan: deleteAfterDays } } : {}
                )
                version: {
                  delete: {
                    daysAfterCreationGreaterThan: softDeleteDays
                  }
                }
              }
            }
          }
        ]
      }
    }
    dependsOn: [
      blobService
    ]
  }
}

#disable-next-line use-recent-api-versions // the newest stable version, of 2016, knows no categories of storage
resource blobDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: account::blobService
  properties: {
    workspaceId: workspace.id
    logs: [
      for category in blobLogs: {
        category: category
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'Transaction'
        enabled: true
      }
    ]
  }
}

// Reads and writes of queues and tables are the poll itself, many a second; who deleted what is worth a line.
#disable-next-line use-recent-api-versions // the newest stable version, of 2016, knows no categories of storage
resource queueDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: account::queueService
  properties: {
    workspaceId: workspace.id
    logs: [
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'Transaction'
        enabled: true
      }
    ]
  }
}

#disable-next-line use-recent-api-versions // the newest stable version, of 2016, knows no categories of storage
resource tableDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: account::tableService
  properties: {
    workspaceId: workspace.id
    logs: [
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'Transaction'
        enabled: true
      }
    ]
  }
}

module endpoints 'private-endpoint.bicep' = [
  for service in services: if (private) {
    params: {
      name: 'pe-${name}-${service}'
      location: location
      tags: tags
      networkName: networkName!
      resourceId: account.id
      groupId: service
    }
  }
]

output blobEndpoint string = account.properties.primaryEndpoints.blob
output queueEndpoint string = account.properties.primaryEndpoints.queue
output tableEndpoint string = account.properties.primaryEndpoints.table
