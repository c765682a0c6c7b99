// One private endpoint in the network's subnet for them, with its entries in the private DNS zones.

import { endpointSubnet, zones } from 'private-names.bicep'
import { groupIdType, tagsType } from 'types.bicep'

param name string

param location string

param tags tagsType

param networkName string

@description('The resource behind the endpoint.')
param resourceId string

@description('Which of its services.')
param groupId groupIdType

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' existing = {
  name: networkName

  resource subnet 'subnets' existing = {
    name: endpointSubnet
  }
}

resource dnsZones 'Microsoft.Network/privateDnsZones@2024-06-01' existing = [
  for zone in zones[groupId]: {
    name: endsWith(zone, '.') ? '${zone}${environment().suffixes.storage}' : zone
  }
]

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    customNetworkInterfaceName: '${name}-nic'
    subnet: {
      id: network::subnet.id
    }
    privateLinkServiceConnections: [
      {
        name: groupId
        properties: {
          privateLinkServiceId: resourceId
          groupIds: [
            groupId
          ]
        }
      }
    ]
  }

  resource entries 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        for (zone, index) in zones[groupId]: {
          name: 'zone-${index}'
          properties: {
            privateDnsZoneId: dnsZones[index].id
          }
        }
      ]
    }
  }
}
